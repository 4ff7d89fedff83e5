"""Publishing a model's folder to a bucket, with S3 as an emulator plays it."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from local.emulator import Emulator
from model_container.bucket import Folder, Parts
from model_container.publish import PublishError, address, publish
from tests.contract.publishing import BIG, PART, Counted, Told, run, silent, stored

pytestmark = pytest.mark.xdist_group("contract-on-aws")


def test_a_packed_folder_lies_below_its_prefix_byte_for_byte(
    s3: Counted, target: Folder, packed: Path
) -> None:
    assert publish(packed, target, silent) == 3

    assert stored(s3, target) == {
        "musicgen-small/decoder.bin": BIG,
        "musicgen-small/sub/text.onnx": b"text",
        "musicgen-small/pack.json": b"{}",
    }


def test_what_stands_in_for_a_decoder_that_the_image_has_stays_here(
    s3: Counted, target: Folder, packed: Path
) -> None:
    for name in ("decoder.native", "decoder.onnx", "decoder.weights", "cross.onnx", "cross.weights"):
        (packed / name).write_bytes(b"weights")

    publish(packed, target, silent)

    names = {key.rpartition("/")[2] for key in stored(s3, target)}
    assert names == {"decoder.bin", "decoder.native", "text.onnx", "pack.json"}


def test_what_says_that_a_folder_is_whole_comes_last(target: Folder, packed: Path) -> None:
    told: Told = []

    publish(packed, target, lambda name, had, size: told.append((name, had, size)))

    assert told[-1] == ("pack.json", 2, 2)
    assert [had for name, had, _ in told if name == "decoder.bin"] == [PART, 2 * PART, len(BIG)]


def test_the_same_again_sends_nothing(s3: Counted, target: Folder, packed: Path) -> None:
    publish(packed, target, silent)
    s3.calls.clear()

    assert publish(packed, target, silent) == 0
    assert s3.writes == []


def test_only_what_changed_is_sent_again(s3: Counted, target: Folder, packed: Path) -> None:
    publish(packed, target, silent)
    (packed / "sub/text.onnx").write_bytes(b"TEXT")
    s3.calls.clear()

    assert publish(packed, target, silent) == 1
    assert stored(s3, target)["musicgen-small/sub/text.onnx"] == b"TEXT"


def test_a_file_that_broke_off_goes_on_at_the_part_where_it_stopped(
    s3: Counted, target: Folder, packed: Path
) -> None:
    s3.breaks_at = 3
    with pytest.raises(KeyboardInterrupt):
        publish(packed, target, silent)
    assert stored(s3, target) == {}
    s3.calls.clear()
    s3.breaks_at = None

    publish(packed, target, silent)

    assert s3.calls.count("upload_part") == 1
    assert s3.calls.count("create_multipart_upload") == 0
    assert stored(s3, target)["musicgen-small/decoder.bin"] == BIG


def test_parts_of_another_content_are_not_gone_on_with(s3: Counted, target: Folder, packed: Path) -> None:
    s3.breaks_at = 3
    with pytest.raises(KeyboardInterrupt):
        publish(packed, target, silent)
    s3.breaks_at = None
    changed = bytes(PART) + BIG[PART:]
    (packed / "decoder.bin").write_bytes(changed)

    publish(packed, target, silent)

    assert stored(s3, target)["musicgen-small/decoder.bin"] == changed


def test_s3_itself_refuses_a_file_that_changed_on_its_way(s3: Counted, target: Folder, packed: Path) -> None:
    right = Parts.of(packed / "sub/text.onnx").checksum

    with pytest.raises(Exception, match="did not match"):
        s3.put_object(Bucket=target.bucket, Key="k", Body=b"tEXt", ChecksumSHA256=right)


def test_strangers_below_the_prefix_are_named_and_nothing_is_sent(
    s3: Counted, target: Folder, packed: Path
) -> None:
    s3.put_object(Bucket=target.bucket, Key="musicgen-small/cross.onnx", Body=b"old")
    s3.calls.clear()

    with pytest.raises(PublishError, match=r"cross\.onnx"):
        publish(packed, target, silent)
    assert s3.writes == []


def test_another_models_folder_is_no_stranger(s3: Counted, target: Folder, packed: Path) -> None:
    s3.put_object(Bucket=target.bucket, Key="musicgen-small-2/pack.json", Body=b"{}")

    assert publish(packed, target, silent) == 3


def test_a_checkpoint_that_was_not_packed_is_refused_with_a_hint(target: Folder, packed: Path) -> None:
    (packed / "pack.json").unlink()

    with pytest.raises(PublishError, match="add --pack"):
        publish(packed, target, silent)


def test_an_empty_file_is_a_file(s3: Counted, target: Folder, packed: Path) -> None:
    (packed / "empty").touch()

    publish(packed, target, silent)

    assert stored(s3, target)["musicgen-small/empty"] == b""
    assert publish(packed, target, silent) == 0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("s3://music/small.tar.gz", ("music", "small.tar.gz")),
        ("s3://music/models/small.tar.gz", ("music", "models/small.tar.gz")),
        ("s3://music/small.tar.gz/", ("music", "small.tar.gz/")),
        ("s3://music/small", ("music", "small/")),
        ("s3://music/models/small/", ("music", "models/small/")),
    ],
)
def test_an_address_is_a_bucket_and_a_prefix_or_an_archive(text: str, found: tuple[str, str]) -> None:
    assert address(text) == found


def test_the_command_publishes_and_says_what_to_do_with_it(
    emulator: Emulator, target: Folder, packed: Path
) -> None:
    done = run(emulator, str(packed), f"s3://{target.bucket}/musicgen-small")

    assert done.returncode == 0, done.stderr
    assert f"-c endpoint_weights=s3://{target.bucket}/musicgen-small/" in done.stdout
    assert "pack.json" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing", "s3://music/small"), "nothing is neither a folder nor a model"),
        (("PACKED", "s3://no-such-bucket-1/small"), "S3 says: "),
        (("PACKED", "s3://music"), "a prefix keeps models apart"),
        (("PACKED", "https://music/small"), "is no s3://BUCKET/PREFIX"),
    ],
)
def test_what_cannot_be_published_gets_one_line(
    emulator: Emulator, packed: Path, words: tuple[str, ...], said: str
) -> None:
    done = run(emulator, *(word.replace("PACKED", str(packed)) for word in words))

    assert done.returncode != 0
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.fixture
def hub() -> Iterator[str]:
    """A hub with one checkpoint of no sense."""
    files = {"config.json": b"{}", "model.safetensors": b"weights"}
    commit = "4c8334b02c6ec4e8664a91979669a501ec497792"

    def sibling(name: str, data: bytes) -> dict[str, object]:
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        large = {"lfs": {"sha256": hashlib.sha256(data).hexdigest()}} if name.startswith("model") else {}
        return {"rfilename": name, "size": len(data), "blobId": blob, **large}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            about = {"sha": commit, "siblings": [sibling(*each) for each in files.items()]}
            name = self.path.rpartition("/")[2]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(files.get(name) or json.dumps(about).encode())

        def log_message(self, format: str, *arguments: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_model_is_fetched_by_its_name_and_kept_and_its_licence_said(hub: str, tmp_path: Path) -> None:
    env = {**os.environ, "HF_ENDPOINT": hub, "NO_PROXY": "127.0.0.1"}
    words = ["musicgen-small", "s3://music/small", "--kept", str(tmp_path)]
    command = [sys.executable, "-m", "model_container.publish", *words]

    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    assert (tmp_path / "musicgen-small/model.safetensors").read_bytes() == b"weights"
    assert "non-commercial" in done.stdout
    assert done.stderr.splitlines()[-1].endswith("an endpoint plays packed folders: add --pack.")
