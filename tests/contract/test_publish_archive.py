"""Publishing a model as the one archive that a serverless endpoint takes."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from local.emulator import Emulator
from model_container.archive import archive
from model_container.bucket import Folder
from model_container.publish import publish_archive
from tests.contract.publishing import BIG, Counted, run, silent, stored

pytestmark = pytest.mark.xdist_group("contract-on-aws")


def unpacked(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        return {each.name: tar.extractfile(each).read() for each in tar}  # type: ignore[union-attr]


def test_an_archive_holds_the_folder_byte_for_byte_with_what_says_that_it_is_whole_last(
    s3: Counted, target: Folder, packed: Path, tmp_path: Path
) -> None:
    assert publish_archive(packed, target, "small.tar.gz", tmp_path / "kept", silent) == 1

    [(key, archive)] = stored(s3, target).items()
    assert key == "musicgen-small/small.tar.gz"
    assert list(unpacked(archive).items()) == [
        ("decoder.bin", BIG),
        ("sub/text.onnx", b"text"),
        ("pack.json", b"{}"),
    ]
    assert list((tmp_path / "kept").iterdir()) == []


def test_an_archive_of_the_same_folder_is_the_same_and_not_sent_again(
    s3: Counted, target: Folder, packed: Path, tmp_path: Path
) -> None:
    publish_archive(packed, target, "small.tar.gz", tmp_path / "kept", silent)
    s3.calls.clear()
    for file in packed.rglob("*"):
        os.utime(file, (1, 1))

    assert publish_archive(packed, target, "small.tar.gz", tmp_path / "kept", silent) == 0
    assert s3.writes == []


def test_whoever_runs_the_container_may_read_an_archives_files(packed: Path, tmp_path: Path) -> None:
    (packed / "pack.json").chmod(0o600)

    archive({"pack.json": packed / "pack.json"}, tmp_path / "small.tar.gz")

    with tarfile.open(tmp_path / "small.tar.gz") as tar:
        assert [each.mode for each in tar] == [0o644]


@pytest.mark.parametrize("key", ["small.tar.gz", "models/small.tar.gz"])
def test_the_command_publishes_an_archive_where_its_address_says_so(
    emulator: Emulator, s3: Counted, target: Folder, packed: Path, tmp_path: Path, key: str
) -> None:
    kept = ("--kept", str(tmp_path / "kept"))

    done = run(emulator, str(packed), f"s3://{target.bucket}/{key}", *kept)

    assert done.returncode == 0, done.stderr
    assert f"-c endpoint_weights=s3://{target.bucket}/{key}\n" in done.stdout
    assert unpacked(stored(s3, target)[key])["pack.json"] == b"{}"
