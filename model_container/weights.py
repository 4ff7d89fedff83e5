"""Fetch a published checkpoint from the Hugging Face hub: python -m model_container.weights MODEL FOLDER

What was fetched in part goes on where it stopped; what is there is checked against the hub's digests.

Knows the hub. Must not know what the files hold.
"""

import argparse
import hashlib
import os
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated

import urllib3
from pydantic import BaseModel, ConfigDict, Field, ValidationError

HUB = "https://huggingface.co"
FILES = "config.json", "tokenizer.json", "model*.safetensors", "model.safetensors.index.json"
CHUNK = 1 << 20  # bytes
TRIES = 5  # in a row that may bring nothing
TIMEOUT = urllib3.Timeout(connect=10, read=60)

# A commit of the hub's repository; `main` is whatever is newest there, and is written down once fetched.
REVISIONS = {
    "musicgen-small": "4c8334b02c6ec4e8664a91979669a501ec497792",
    "musicgen-medium": "main",
    "musicgen-large": "main",
    "musicgen-melody": "main",
    "musicgen-melody-large": "main",
    "musicgen-stereo-small": "main",
    "musicgen-stereo-medium": "main",
    "musicgen-stereo-large": "main",
    "musicgen-stereo-melody": "main",
    "musicgen-stereo-melody-large": "main",
}

# What the two-track model hears and speaks through, at 24 kHz.
CODECS = {"encodec_24khz": "main"}
LICENCES = {
    **dict.fromkeys(REVISIONS, "CC-BY-NC-4.0: for non-commercial use only"),
    "encodec_24khz": "published without a licence of its weights: clear them before any commercial use",
}


class FetchError(Exception):
    """The weights could not be had; the message is one line for a person."""


class Large(BaseModel):
    sha256: str


class File(BaseModel):
    """A file as the hub tells of it: large ones by their SHA-256, small ones by git's own digest."""

    model_config = ConfigDict(frozen=True)

    name: Annotated[str, Field(alias="rfilename", pattern=r"^\w[\w.-]*$")]
    size: int
    blob: Annotated[str, Field(alias="blobId")]
    lfs: Large | None = None


class Repository(BaseModel):
    sha: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
    siblings: list[dict[str, object]]

    def files(self) -> list[File]:
        """Those that the engine reads."""
        names = ((str(each.get("rfilename")), each) for each in self.siblings)
        wanted = (each for name, each in names if any(fnmatch(name, pattern) for pattern in FILES))
        return [File.model_validate(each) for each in wanted]


Tell = Callable[[str, int, int], None]  # a file's name, bytes had, bytes in all


def fetch(model: str, folder: Path, hub: str = HUB, tell: Tell = lambda *_: None) -> str:
    """Fetch a model's checkpoint into `folder`; returns the commit. Raises FetchError."""
    name = f"facebook/{model}"
    folder.mkdir(parents=True, exist_ok=True)
    with urllib3.PoolManager(timeout=TIMEOUT) as http:
        try:
            about = _get(http, f"{hub}/api/models/{name}/revision/{(REVISIONS | CODECS)[model]}?blobs=true")
            repository = Repository.model_validate_json(about.data)
            files = repository.files()
        except ValidationError as error:
            raise FetchError(f"{hub} does not answer as the hub does.") from error
        if not any(file.name.endswith(".safetensors") for file in files):
            raise FetchError(f"{name} holds no safetensors at {repository.sha}.")
        for file in files:
            _fetch(http, f"{hub}/{name}/resolve/{repository.sha}/{file.name}", file, folder, tell)
    (folder / "REVISION").write_text(f"{name} {repository.sha}\n")
    return repository.sha


def _fetch(http: urllib3.PoolManager, url: str, file: File, folder: Path, tell: Tell) -> None:
    target, part = folder / file.name, folder / f"{file.name}.part"
    if target.exists() and _right(target, file):
        return
    failures = 0
    while (had := part.stat().st_size if part.exists() else 0) < file.size:
        try:
            _go_on(http, url, file, part, tell)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            failures = 0 if part.exists() and part.stat().st_size > had else failures + 1
            if failures == TRIES:
                raise FetchError(f"{file.name} broke off; the same command goes on from there.") from error
    if not _right(part, file):
        part.unlink()
        raise FetchError(f"{file.name} is not what the hub says it is, and was removed: fetch it again.")
    part.replace(target)


def _go_on(http: urllib3.PoolManager, url: str, file: File, part: Path, tell: Tell) -> None:
    """Append to a part what it lacks, as far as one answer goes."""
    had = part.stat().st_size if part.exists() else 0
    response = _get(http, url, {"range": f"bytes={had}-"}, preload_content=False)
    with response, part.open("ab" if response.status == 206 else "wb") as output:
        for chunk in response.stream(CHUNK, decode_content=False):
            output.write(chunk)
            tell(file.name, output.tell(), file.size)
            if output.tell() > file.size:
                return


def _get(
    http: urllib3.PoolManager,
    url: str,
    headers: dict[str, str] | None = None,
    *,
    preload_content: bool = True,
) -> urllib3.BaseHTTPResponse:
    try:
        response = http.request("GET", url, headers=headers or {}, preload_content=preload_content)
    except urllib3.exceptions.HTTPError as error:
        raise FetchError(f"{url} cannot be reached: check the network.") from error
    if response.status not in (200, 206):
        response.close()
        raise FetchError(f"{url} answers {response.status}.")
    return response


def _right(path: Path, file: File) -> bool:
    if file.lfs is not None:
        digest, expected = hashlib.sha256(), file.lfs.sha256
    else:
        digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
        expected = file.blob
    with path.open("rb") as content:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == expected


def show(name: str, had: int, size: int) -> None:
    """A bar on a terminal; elsewhere a line for each tenth."""
    if sys.stdout.isatty():
        bar = "█" * (30 * had // size)
        print(f"\r{name:24} {bar:30} {had / 1e6:.0f} of {size / 1e6:.0f} MB", end="", flush=True)
        if had >= size:
            print()
    elif 10 * had // size != 10 * max(had - CHUNK, 0) // size:
        print(f"{name} {100 * had // size} % of {size / 1e6:.0f} MB", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m model_container.weights", description=__doc__)
    parser.add_argument("model", choices=LICENCES, metavar="MODEL", help=", ".join(LICENCES))
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    print(f"{arguments.model} is {LICENCES[arguments.model]}.")
    try:
        commit = fetch(arguments.model, arguments.folder, os.environ.get("HF_ENDPOINT", HUB), show)
    except FetchError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; the same command goes on from here.", file=sys.stderr)
        return 130
    print(f"{arguments.model} at {commit} is in {arguments.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
