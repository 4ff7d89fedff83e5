"""The whole of Cadenza on this machine, as one value: `with LocalCloud(folder) as cloud: cloud.api_url`.

For `make run`, the tests and the benchmarks alike. Synthesizes (or takes the assembly it has), starts the
emulator, deploys, finishes the deployment, and checks that the service answers.
"""

import fcntl
import json
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Self

from local import HOST, ROOT, LocalError
from local.assembly import Stack, read_stacks, synthesize
from local.certify import certify
from local.completion import Physical, complete
from local.deploy import deploy, outputs, resources
from local.emulator import Emulator, check_free, free_pair
from local.environments import EMULATOR, Say, ensure_node

ASSEMBLIES = ROOT / ".local" / "assemblies"
HEALTH_SECONDS = 60


class LocalCloud:
    """Runs while the `with` block does. State lies under `folder` and is found again by the next run there.

    port: the product's address; the emulated cloud takes the next one. 0 picks a free pair.
    auth: enforce IAM policies, as AWS does.
    context: the stage's values to change, as `cdk deploy -c` would.
    containers: where model containers answer, by patterns of the SageMaker endpoints' names.
    """

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        *,
        auth: bool = False,
        context: Mapping[str, Any] | None = None,
        containers: Mapping[str, str] | None = None,
        say: Say = lambda _: None,
    ) -> None:
        self.folder, self.port, self.auth, self.say = folder.resolve(), port or free_pair(), auth, say
        self.context = {"stage": "local", **(context or {})}
        self.containers = containers
        self.outputs: dict[str, str] = {}
        self._exit = ExitStack()

    @property
    def api_url(self) -> str:
        return f"http://{HOST}:{self.port}/v1"

    @property
    def site_url(self) -> str:
        return f"http://{HOST}:{self.port}/"

    @property
    def endpoint(self) -> str:
        """What AWS_ENDPOINT_URL must be to reach the emulated cloud."""
        return self.emulator.endpoint

    def client(self, service: str) -> Any:
        return self.emulator.client(service)

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            self.folder.mkdir(parents=True, exist_ok=True)
            undo.enter_context(_only_one(self.folder))
            for port in (self.port, self.port + 1):
                check_free(port)
            self.emulator = Emulator(
                EMULATOR.ensure(self.say),
                self.folder,
                self.port,
                auth=self.auth,
                containers=self.containers,
            )
            stacks = self.synthesize()
            self._forget_unfinished()
            self.say("Starting the emulated cloud …")
            undo.callback(self.emulator.stop)
            self.emulator.start()
            self._deploy(stacks)
            self._exit = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def synthesize(self) -> list[Stack]:
        """The stacks of this context, in their order. Raises LocalError."""
        started = time.monotonic()
        # For synthesizing, and for the functions that CloudFront runs at its edge.
        ensure_node()
        stacks = read_stacks(synthesize(ASSEMBLIES, self.context, self.say))
        self.say(f"Stacks ready ({time.monotonic() - started:.1f} s).")
        return stacks

    def _deploy(self, stacks: list[Stack]) -> None:
        self.say("Deploying …")
        client = self.emulator.client
        changed = deploy(stacks, client, self.say)
        physical = resources(stacks, client)
        complete(stacks, physical, client)
        deployed = outputs(stacks, client)
        certify(deployed["ProvenanceSecretName"], client("secretsmanager"))
        self._route(stacks, physical, deployed)
        if changed:
            self.emulator.save()
            self._finished.touch()
        self.say("Waiting for the first answer …")
        _expect(f"{self.api_url}/health")
        _expect(self.site_url)
        self._write_outputs()

    def _route(self, stacks: list[Stack], physical: Physical, deployed: Mapping[str, str]) -> None:
        """Give the API and the site one address here, and say it wherever the stacks say the cloud's."""
        api = _only(stacks, physical, "AWS::ApiGateway::RestApi")
        site = deployed["DistributionDomainName"]
        self.emulator.route(api=api, site=site)
        elsewhere = re.compile(rf"https://({re.escape(api)}\.execute-api\.[^/]+|{re.escape(site)})")
        here = f"http://{HOST}:{self.port}"
        self.outputs = {name: elsewhere.sub(here, value) for name, value in deployed.items()}

    def _write_outputs(self) -> None:
        addresses = {"api_url": self.api_url, "site_url": self.site_url, "endpoint_url": self.endpoint}
        text = json.dumps({**addresses, **self.outputs}, indent=2) + "\n"
        draft = self.folder / f"outputs.{os.getpid()}"
        draft.write_text(text)
        draft.rename(self.folder / "outputs.json")

    @property
    def _finished(self) -> Path:
        return self.folder / "state" / "deployed"

    def _forget_unfinished(self) -> None:
        """A first deployment that crashed left buckets that no stack knows, and no job: begin anew."""
        if not self._finished.exists():
            shutil.rmtree(self.folder / "state", ignore_errors=True)


def _only_one(folder: Path) -> IO[bytes]:
    """Two clouds over one state would overwrite each other. Raises LocalError."""
    lock = (folder / "lock").open("wb")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise LocalError(f"Another `make run` is using {folder}; stop it first.") from None
    return lock


def _only(stacks: list[Stack], physical: Physical, kind: str) -> str:
    """The physical id of the stacks' one resource of this type."""
    found = [
        physical[stack.name, logical]
        for stack in stacks
        for logical, resource in stack.template.get("Resources", {}).items()
        if resource["Type"] == kind
    ]
    if len(found) != 1:
        raise LocalError(f"The stacks hold {len(found)} resources of type {kind}; the laptop expects one.")
    return found[0]


def _expect(url: str) -> None:
    """Raises LocalError unless this address answers 200 in time."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=HEALTH_SECONDS):
            return
    except urllib.error.HTTPError as error:
        reason = f"{error.code} {error.read(300).decode(errors='replace')}"
    except OSError as error:
        reason = str(error)
    raise LocalError(f"{url} does not answer as it should: {reason}")
