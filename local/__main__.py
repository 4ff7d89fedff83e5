"""`python -m local`: run Cadenza in the foreground until Ctrl-C or SIGTERM."""

import argparse
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from local import ROOT, LocalError
from local.checkpoints import find
from local.cloud import LocalCloud
from local.container import Container, ExpectAlive
from local.hosting import MODES, Hosting
from local.interrupts import Interrupts
from local.weights import packed

LOOK_SECONDS = 1.0
EXAMPLE = '{"prompt":"upbeat electronic dance music with heavy bass","duration":30,"genre":"electronic"}'


def main() -> int:
    arguments = _arguments()
    started = time.monotonic()
    try:
        with Interrupts() as interrupts, ExitStack() as running:
            cloud, expect_model = _cloud(running, arguments)
            running.enter_context(cloud)
            _say(_welcome(cloud, time.monotonic() - started))
            while not interrupts.within(LOOK_SECONDS):
                cloud.emulator.expect_alive()
                expect_model()
    except LocalError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    _say("Stopped.")
    return 0


def _cloud(running: ExitStack, arguments: argparse.Namespace) -> tuple[LocalCloud, ExpectAlive]:
    """The cloud to be, with the model's own server beside it if a model was named."""
    context: dict[str, Any] = dict(pair.split("=", 1) for pair in arguments.context)
    container = Container(arguments.folder, arguments.port + 2, say=_say)
    hosting = _hosting(arguments)
    if hosting is not None:
        context |= hosting.context()
    cloud = LocalCloud(
        arguments.folder,
        arguments.port,
        auth=arguments.auth,
        context=context,
        containers=hosting.containers(container.url) if hosting else None,
        say=_say,
    )
    if hosting is None:
        return cloud, lambda: None
    cloud.synthesize()  # whose complaints are better heard before a model is packed
    expect_alive = container.start(running, packed(hosting.checkpoint, arguments.folder / "models", _say))
    if hosting.licence:
        _say(f"{arguments.model} is {hosting.licence}: for non-commercial use only.")
    return cloud, expect_alive


def _hosting(arguments: argparse.Namespace) -> Hosting | None:
    """Raises LocalError when what was named does not go together."""
    if arguments.model in (None, "mock"):
        return None
    named = arguments.weights, arguments.checkpoint, arguments.encodec
    return Hosting(find(arguments.model, *named), arguments.endpoint)


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
    _add_model(parser)
    return parser.parse_args()


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", help="a real model to play: musicgen-… or cascade")
    parser.add_argument("--weights", type=Path, help="MusicGen's folder, published or packed")
    parser.add_argument("--checkpoint", type=Path, help="the two-track model's file, or its packed folder")
    parser.add_argument("--encodec", type=Path, help="EnCodec's folder, for the two-track model")
    parser.add_argument(
        "--endpoint", choices=MODES, default=MODES[0], help="how the emulated SageMaker hosts the model"
    )


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
