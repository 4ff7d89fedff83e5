"""InvokeEndpoint: one request in, one answer out, within the limits of real-time and serverless endpoints.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html and
https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Executor

from local.sagemaker.answers import TIMED_OUT, Answer, invalid, model_error, not_ready, throttled, too_long
from local.sagemaker.endpoints import Endpoint
from local.sagemaker.invoking import Reply, TimedOut, TooLarge, Unreachable, invoke

SECONDS = 60.0
REALTIME_BYTES = 6 * 1024 * 1024
SERVERLESS_BYTES = 4 * 1024 * 1024
UNREACHED = (
    "Amazon SageMaker could not get a response from the {} endpoint. This can occur when CPU or memory "
    "utilization is high."
)
PASSED_ON = ("content-type", "accept", "x-amzn-sagemaker-custom-attributes", "x-amzn-sagemaker-inference-id")


class RealTime:
    """`seconds`: what a container may take to answer."""

    def __init__(self, threads: Executor, seconds: float = SECONDS) -> None:
        self._threads, self._seconds = threads, seconds
        self._running: Counter[str] = Counter()

    async def invoke(
        self, endpoint: Endpoint, address: str | None, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Raises Refusal as SageMaker would."""
        most_bytes = REALTIME_BYTES if endpoint.serverless is None else SERVERLESS_BYTES
        if endpoint.asynchronous is not None:
            raise invalid(f"Endpoint {endpoint.name} is asynchronous: call InvokeEndpointAsync.")
        if len(body) > most_bytes:
            raise too_long(most_bytes)
        if address is None:
            raise not_ready(endpoint.name)
        if endpoint.serverless is not None and self._running[endpoint.name] >= endpoint.serverless:
            raise throttled()
        self._running[endpoint.name] += 1
        try:
            reply = await self._forward(endpoint.name, address, headers, body, most_bytes)
        finally:
            self._running[endpoint.name] -= 1
        return _answer(endpoint, reply)

    async def _forward(
        self, name: str, address: str, headers: Mapping[str, str], body: bytes, most_bytes: int
    ) -> Reply:
        def forward() -> Reply:
            handed_on = {key: headers[key] for key in PASSED_ON if key in headers}
            return invoke(address, handed_on, body, seconds=self._seconds, most_bytes=most_bytes)

        try:
            reply = await asyncio.get_running_loop().run_in_executor(self._threads, forward)
        except TimedOut:
            raise model_error(name, 0, TIMED_OUT) from None
        except Unreachable:
            raise model_error(name, 0, UNREACHED.format(name)) from None
        except TooLarge:
            raise model_error(name, 0, f"The response is longer than {most_bytes} bytes.") from None
        if not reply.good:
            raise model_error(name, reply.status, reply.body.decode(errors="replace"))
        return reply


def _answer(endpoint: Endpoint, reply: Reply) -> Answer:
    headers = {"Content-Type": reply.content_type, "x-Amzn-Invoked-Production-Variant": endpoint.variant}
    if reply.attributes is not None:
        headers["X-Amzn-SageMaker-Custom-Attributes"] = reply.attributes
    return 200, headers, reply.body
