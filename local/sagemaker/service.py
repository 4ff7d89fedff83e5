"""What is asked of SageMaker, and who answers it: the routes of its two APIs, as one service of the emulator.

Knows operations, not what they do. Who may call them is `authorize`'s to say.
"""

import json
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from typing import Any

from local.sagemaker.account import Account
from local.sagemaker.answers import Answer, Refusal, unknown_endpoint
from local.sagemaker.asynchronous import Queue
from local.sagemaker.endpoints import Endpoint, Endpoints, Kind, arn
from local.sagemaker.realtime import RealTime

Headers = Mapping[str, str]
Authorize = Callable[[str, str, Headers, Mapping[str, Any]], Answer | None]
"""(action, resource's ARN, headers, query) → the answer that refuses the caller, if any."""

INVOCATION = re.compile(r"/endpoints/([^/]+)/(async-)?invocations")
TARGET = "SageMaker."
DESCRIBED: dict[str, tuple[Kind, str]] = {
    "DescribeModel": ("model", "ModelName"),
    "DescribeEndpointConfig": ("endpoint-config", "EndpointConfigName"),
}
THREADS = 256


class SageMaker:
    """`containers`: where the containers of endpoints answer, by patterns of the endpoints' names.

    account: what an execution role may do elsewhere.
    """

    def __init__(
        self, account: Callable[[str], Account], containers: Mapping[str, str], authorize: Authorize
    ) -> None:
        self._containers, self._authorize = containers, authorize
        self.endpoints = Endpoints()
        threads = ThreadPoolExecutor(THREADS, "sagemaker")
        self._realtime = RealTime(threads)
        self._queue = Queue(self.endpoints, account, self._address, threads)

    async def handle_request(
        self, method: str, path: str, headers: Headers, body: bytes, query: Mapping[str, Any]
    ) -> Answer:
        try:
            return await self._operate(method, path, headers, body, query)
        except Refusal as refusal:
            return refusal.answer()

    def get_state(self) -> dict[str, Any]:
        return {**self.endpoints.state(), "waiting": self._queue.state()}

    def load_persisted_state(self, state: Mapping[str, Any]) -> None:
        self.endpoints.restore(state)
        self._queue.restore(state.get("waiting", []))

    def resume(self) -> None:
        """Begin again the asynchronous requests that the state held."""
        self._queue.resume()

    def suspend(self) -> None:
        """Keep them for the next process; the emulator is about to stop answering."""
        self._queue.suspend()

    def reset(self) -> None:
        raise NotImplementedError("The emulator's state is reset by deleting it.")

    def _address(self, endpoint: str) -> str | None:
        found = (address for name, address in self._containers.items() if fnmatchcase(endpoint, name))
        return next(found, None)

    async def _operate(
        self, method: str, path: str, headers: Headers, body: bytes, query: Mapping[str, Any]
    ) -> Answer:
        invocation = INVOCATION.fullmatch(path)
        if method == "POST" and invocation is not None:
            return await self._invoke(invocation[1], invocation[2] is not None, headers, body, query)
        asked = headers.get("x-amz-target", f"{method} {path}").removeprefix(TARGET)
        if asked == "DescribeEndpoint":
            return self._describe(json.loads(body)["EndpointName"], headers, query)
        if asked in DESCRIBED:
            return self._recall(asked, json.loads(body), headers, query)
        raise Refusal(400, "UnknownOperationException", f"The stand-in has no {asked}.")

    async def _invoke(
        self, name: str, asynchronously: bool, headers: Headers, body: bytes, query: Mapping[str, Any]
    ) -> Answer:
        operation = "InvokeEndpointAsync" if asynchronously else "InvokeEndpoint"
        if refused := self._authorize(f"sagemaker:{operation}", arn("endpoint", name), headers, query):
            return refused
        endpoint = self._find(name)
        if asynchronously:
            return self._queue.accept(endpoint, headers, body)
        return await self._realtime.invoke(endpoint, self._address(name), headers, body)

    def _find(self, name: str) -> Endpoint:
        endpoint = self.endpoints.find(name)
        if endpoint is None:
            raise unknown_endpoint(name)
        return endpoint

    def _describe(self, name: str, headers: Headers, query: Mapping[str, Any]) -> Answer:
        if refused := self._authorize("sagemaker:DescribeEndpoint", arn("endpoint", name), headers, query):
            return refused
        endpoint = self.endpoints.find(name)
        if endpoint is None:
            raise _missing("endpoint", name)
        return _found(_description(endpoint))

    def _recall(
        self, asked: str, body: Mapping[str, Any], headers: Headers, query: Mapping[str, Any]
    ) -> Answer:
        """What a model or a configuration was made with; its properties are also the answer's."""
        kind, named = DESCRIBED[asked]
        name = body[named]
        if refused := self._authorize(f"sagemaker:{asked}", arn(kind, name), headers, query):
            return refused
        properties = self.endpoints.described(kind, name)
        if properties is None:
            raise _missing(kind, name)
        return _found({**properties, named: name})


def _found(described: Mapping[str, Any]) -> Answer:
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(described).encode()


def _missing(kind: Kind, name: str) -> Refusal:
    return Refusal(400, "ValidationException", f'Could not find {kind} "{arn(kind, name)}".')


def _description(endpoint: Endpoint) -> dict[str, Any]:
    variant: dict[str, Any] = {"VariantName": endpoint.variant, "CurrentWeight": 1.0, "DesiredWeight": 1.0}
    if endpoint.serverless is None:
        variant |= {"CurrentInstanceCount": endpoint.instances, "DesiredInstanceCount": endpoint.instances}
    else:
        variant |= {"CurrentServerlessConfig": {"MaxConcurrency": endpoint.serverless}}
    return {
        "EndpointName": endpoint.name,
        "EndpointArn": arn("endpoint", endpoint.name),
        "EndpointConfigName": endpoint.config,
        "EndpointStatus": "InService",
        "ProductionVariants": [variant],
        "CreationTime": endpoint.created,
        "LastModifiedTime": endpoint.modified,
    }
