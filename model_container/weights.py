"""Fetch a published checkpoint from the Hugging Face hub: python -m model_container.weights MODEL FOLDER

What was fetched in part goes on where it stopped; what is there is checked against the hub's digests.

Knows the hub. Must not know what the files hold.
"""

import argparse
import hashlib
import json
import sys
from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from huggingface_hub.hf_api import ModelInfo, RepoSibling

FILES = "config.json", "tokenizer.json", "model*.safetensors", "model.safetensors.index.json"
CHUNK = 1 << 22  # bytes

# A commit of the hub's repository; `main` is whatever is newest there, and is written down once fetched.
REVISIONS = {
    "musicgen-small": "4c8334b02c6ec4e8664a91979669a501ec497792",
    "musicgen-medium": "main",
    "musicgen-large": "main",
    "musicgen-melody": "main",
    "musicgen-stereo-small": "main",
    "musicgen-stereo-medium": "main",
    "musicgen-stereo-large": "main",
    "musicgen-stereo-melody": "main",
}


class FetchError(Exception):
    """The weights could not be had; the message is one line for a person."""


def fetch(model: str, folder: Path, endpoint: str | None = None) -> str:
    """Fetch a model's checkpoint into `folder`; returns the commit. endpoint: the hub's address.

    Raises FetchError.
    """
    repository, revision = f"facebook/{model}", REVISIONS[model]
    try:
        hub = HfApi(endpoint=endpoint, token=False)
        info = hub.model_info(repository, revision=revision, files_metadata=True)
        commit = str(info.sha)
        wanted = _wanted(info)
        snapshot_download(
            repository,
            revision=commit,
            local_dir=folder,
            allow_patterns=[each.rfilename for each in wanted],
            endpoint=endpoint,
            token=False,
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise FetchError(f"{repository} could not be fetched: {_line(error)}") from error
    for each in wanted:
        _check(folder / each.rfilename, each)
    (folder / "fetched.json").write_text(json.dumps({"repository": repository, "revision": commit}))
    return commit


def _wanted(info: ModelInfo) -> list[RepoSibling]:
    wanted = [
        each for each in info.siblings or () if any(fnmatch(each.rfilename, pattern) for pattern in FILES)
    ]
    if not any(each.rfilename.endswith(".safetensors") for each in wanted):
        raise FetchError(f"{info.id} holds no safetensors at {info.sha}")
    return wanted


def _check(file: Path, told: RepoSibling) -> None:
    """Large files are named by their SHA-256, small ones by git's own digest. Raises FetchError."""
    if told.lfs is not None:
        digest, expected = hashlib.sha256(), told.lfs.sha256
    else:
        digest = hashlib.sha1(f"blob {file.stat().st_size}\0".encode(), usedforsecurity=False)
        expected = str(told.blob_id)
    with file.open("rb") as content:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != expected:
        file.unlink()
        raise FetchError(f"{file} was not what the hub says it is, and was removed: fetch it again")


def _line(error: Exception) -> str:
    said = str(error.__cause__ or error).strip().splitlines()
    return said[0] if said else type(error).__name__


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m model_container.weights", description=__doc__)
    parser.add_argument("model", choices=REVISIONS, metavar="MODEL", help=", ".join(REVISIONS))
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    print(f"{arguments.model} is CC-BY-NC-4.0: for non-commercial use only.")
    try:
        commit = fetch(arguments.model, arguments.folder)
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
