"""Put a model where an endpoint takes its weights from:

    python -m model_container.publish MODEL|FOLDER s3://BUCKET/PREFIX [--pack] [--weights int8|…|fp16]

MODEL is fetched from the Hugging Face hub, once; FOLDER is a checkpoint or what model_container.pack wrote.
An endpoint plays packed folders: --pack packs first. A serverless one takes its folder as one archive: give
it an address that ends in .tar.gz. The same command goes on where it stopped, and sends nothing that lies
there with the same checksum. Needs model_container/requirements-publish.txt.

Knows the way of weights from the hub to S3. Must not know how they are played.
"""

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

NEEDED = "model_container/requirements-publish.txt"

try:
    from botocore.exceptions import BotoCoreError, ClientError

    from model_container.archive import ENDING, archive
    from model_container.bucket import Folder, Tell
    from model_container.engine.config import CheckpointError
    from model_container.engine.manifest import MANIFEST
    from model_container.weights import HUB, REVISIONS, FetchError, fetch, show
except ModuleNotFoundError as error:
    if __name__ != "__main__":
        raise
    sys.exit(f"Publishing takes what {NEEDED} lists: {error.name} is missing.")

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/([\w!.*'()/-]*[\w!.*'()-])(/?)")
KEPT = Path("build/weights")
WEIGHTS = ("int8", "fp32", "bf16", "int4", "fp16")
UNREADABLE = (".part", ".partial", ".DS_Store")
NATIVE = "decoder.native"
# A third of the small model. They are for where our own decoder is not compiled, and in the image it is.
STAND_INS = ("decoder.onnx", "decoder.weights", "cross.onnx", "cross.weights")
SHOWN = 3  # names of strangers


class PublishError(Exception):
    """Nothing, or not all, was published; the message is one line for a person."""


def address(text: str) -> tuple[str, str]:
    """Bucket, and prefix or an archive's key. Raises argparse.ArgumentTypeError."""
    found = ADDRESS.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text} is no s3://BUCKET/PREFIX; a prefix keeps models apart")
    bucket, path, slash = found.groups()
    return bucket, path if path.endswith(ENDING) and not slash else f"{path}/"


def publish(folder: Path, target: Folder, tell: Tell) -> int:
    """Store a packed folder's files; returns how many were sent. Raises PublishError, botocore's errors."""
    files = packed_files(folder)
    if others := target.others(files):
        listed = ", ".join(others[:SHOWN]) + (", …" if len(others) > SHOWN else "")
        raise PublishError(f"{target.uri} holds other files, which an endpoint would be given too: {listed}.")
    return sum(target.put(path, name, tell) for name, path in files.items())


def publish_archive(folder: Path, target: Folder, name: str, kept: Path, tell: Tell) -> int:
    """Store a packed folder as one file of this name, made below `kept`. Returns and raises as `publish`."""
    files = packed_files(folder)
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept) as scratch:
        made = Path(scratch) / name
        archive(files, made)
        return int(target.put(made, name, tell))


def packed_files(folder: Path) -> dict[str, Path]:
    """What an endpoint reads of a packed folder, by its names. Raises PublishError."""
    if not (folder / MANIFEST).exists():
        raise PublishError(f"{folder} is not packed, and an endpoint plays packed folders: add --pack.")
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    left = {MANIFEST, *(STAND_INS if NATIVE in files else ())}
    names = [name for name in sorted(files) if not name.endswith(UNREADABLE) and name not in left]
    # What says that the folder is packed comes last: until then nobody takes it for whole.
    return {name: files[name] for name in (*names, MANIFEST)}


def prepared(source: str, kept: Path, weights: str | None, encodec: Path | None) -> Path:
    """The folder to publish: fetched if it is a model's name, packed if `weights` says how.

    Raises FetchError, CheckpointError, PublishError.
    """
    folder = Path(source)
    if source in REVISIONS:
        folder = kept / source
        print(f"{source} is CC-BY-NC-4.0: for non-commercial use only.")
        fetch(source, folder, os.environ.get("HF_ENDPOINT", HUB), show)
    elif not folder.exists():
        raise PublishError(f"{source} is neither a folder nor a model; there are {', '.join(REVISIONS)}.")
    if weights is None or (folder / MANIFEST).exists():
        return folder
    return _packed(folder, kept, weights, encodec)


def _packed(folder: Path, kept: Path, weights: str, encodec: Path | None) -> Path:
    try:
        from model_container.pack import pack  # needs more than publishing does
    except ModuleNotFoundError as error:
        raise PublishError(f"--pack takes what {NEEDED} lists: {error.name} is missing.") from error
    target = kept / f"{folder.resolve().name}-{weights}"
    print(f"Packing {folder} into {target} …", flush=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    pack(folder, target, weights, encodec)
    return target


def main(arguments: list[str] | None = None) -> int:
    options = _parse(arguments)
    bucket, path = options.address
    try:
        folder = prepared(
            options.source, options.kept, options.weights if options.pack else None, options.encodec
        )
        sent = _sent(folder, bucket, path, options.kept)
    except (FetchError, CheckpointError, PublishError) as error:
        return _stopped(str(error))
    except (BotoCoreError, ClientError) as error:
        return _stopped(f"S3 says: {error}")
    except KeyboardInterrupt:
        return _stopped("Stopped; the same command goes on from here.", 130)
    print(f"{sent} files sent. An endpoint takes them with -c endpoint_weights=s3://{bucket}/{path}")
    return 0


def _sent(folder: Path, bucket: str, path: str, kept: Path) -> int:
    if path.endswith("/"):
        return publish(folder, Folder(_client(), bucket, path), Bar())
    parent, slash, name = path.rpartition("/")
    return publish_archive(folder, Folder(_client(), bucket, parent + slash), name, kept, Bar())


class Bar:
    """How much of each file is there: a bar on a terminal; elsewhere a line for each tenth."""

    def __init__(self) -> None:
        self._told = ("", -1)

    def __call__(self, name: str, had: int, size: int) -> None:
        if (tenth := 10 * had // size) == self._told[1] and name == self._told[0] and not sys.stdout.isatty():
            return
        self._told = (name, tenth)
        line = f"{name:24} {'█' * (30 * had // size):30} {had / 1e6:.0f} of {size / 1e6:.0f} MB"
        print(f"\r{line}" if sys.stdout.isatty() else line, end="", flush=True)
        if had >= size or not sys.stdout.isatty():
            print(flush=True)


def _stopped(why: str, code: int = 1) -> int:
    print(why, file=sys.stderr)
    return code


def _client() -> "S3Client":
    """Credentials, region and address from the environment, as every AWS tool takes them."""
    import botocore.session
    from botocore.config import Config

    retries = Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=10, read_timeout=120)
    client: Any = botocore.session.get_session().create_client("s3", config=retries)
    return cast("S3Client", client)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m model_container.publish",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="MODEL|FOLDER", help=", ".join(REVISIONS))
    parser.add_argument("address", metavar="s3://BUCKET/PREFIX[.tar.gz]", type=address)
    parser.add_argument("--pack", action="store_true", help="pack a checkpoint first")
    parser.add_argument("--weights", choices=WEIGHTS, default="int8", help="how; fp16 is for GPUs alone")
    parser.add_argument("--encodec", type=Path, metavar="FOLDER", help="for a two-track checkpoint")
    parser.add_argument("--kept", type=Path, default=KEPT, help="where fetched and packed files stay")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
