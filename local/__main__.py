"""`python -m local`: run Cadenza in the foreground until Ctrl-C or SIGTERM."""

import argparse
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

from local import ROOT, LocalError
from local.cloud import LocalCloud
from local.container import Container
from local.weights import Weights

LICENCE = "CC-BY-NC-4.0"  # of every model that runs here
EXAMPLE = '{"prompt":"upbeat electronic dance music with heavy bass","duration":30,"genre":"electronic"}'


def main() -> int:
    arguments = _arguments()
    signal.signal(signal.SIGTERM, _interrupt)
    started = time.monotonic()
    try:
        with ExitStack() as running:
            context: dict[str, Any] = dict(pair.split("=", 1) for pair in arguments.context)
            if arguments.model not in (None, "mock"):
                context |= _hosted(running, arguments)
            cloud = LocalCloud(
                arguments.folder, arguments.port, auth=arguments.auth, context=context, say=_say
            )
            running.enter_context(cloud)
            _say(_welcome(cloud, time.monotonic() - started))
            code = cloud.emulator.wait()
            raise LocalError(f"The emulator ended by itself with code {code}; see {cloud.emulator.log}")
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        _say("Stopped.")
        return 0


def _hosted(running: ExitStack, arguments: argparse.Namespace) -> dict[str, Any]:
    """Start the model's own server; the stage's values that lead to it."""
    if arguments.weights is None:
        raise LocalError(f"MODEL={arguments.model} needs WEIGHTS=folder; `make weights` fetches one.")
    weights = Weights(arguments.weights, arguments.folder / "models")
    container = Container(arguments.folder, arguments.port + 2, say=_say)
    container.start(running, weights)
    _say(f"{arguments.model} is {LICENCE}: for non-commercial use only.")
    return {
        "chains": {arguments.model: ["container"], "mock": ["mock"]},
        "accepted_licences": [LICENCE],
        "container_url": container.url,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument(
        "--port", type=int, default=4600, help="the product's address; the cloud takes the next port"
    )
    parser.add_argument("--folder", type=Path, default=ROOT / ".local", help="where state is kept")
    parser.add_argument("--auth", action="store_true", help="enforce IAM policies")
    parser.add_argument(
        "--context", action="append", default=[], metavar="KEY=VALUE", help="change the stage's values"
    )
    parser.add_argument("--model", help="a real model to play beside the mock, such as musicgen-small")
    parser.add_argument("--weights", type=Path, help="its folder: a published checkpoint, or a packed one")
    return parser.parse_args()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(text, flush=True)


def _welcome(cloud: LocalCloud, seconds: float) -> str:
    return f"""
  API     {cloud.api_url}
  Studio  {cloud.site_url}
  AWS     {cloud.endpoint}  (AWS_ENDPOINT_URL, key and secret "test")

  curl -X POST {cloud.api_url}/generate -H 'content-type: application/json' \\
    -d '{EXAMPLE}'

  Ready in {seconds:.1f} s. Jobs and audio are kept in {cloud.folder}; `make reset` forgets them.
  Addresses, names and the webhook secret's name are in {cloud.folder / "outputs.json"}. Ctrl-C stops.
"""


if __name__ == "__main__":
    sys.exit(main())
