"""Fetching weights, from a small server that speaks the hub's protocol."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lambdas.core.models import MUSICGEN
from model_container import weights
from model_container.weights import CODECS, REVISIONS, FetchError, fetch
from tests.engine import tiny

COMMIT = REVISIONS["musicgen-small"]
REPOSITORY, CODEC = "facebook/musicgen-small", "facebook/encodec_24khz"


@dataclass
class Hub:
    files: dict[str, bytes]
    url: str = ""
    told: dict[str, bytes] = field(default_factory=dict)  # digests are made of these, where they differ
    cut: int = 0  # bytes after which an answer breaks off, once
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)

    def sibling(self, name: str) -> dict[str, Any]:
        data = self.told.get(name, self.files[name])
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        if not name.endswith("safetensors"):
            return {"rfilename": name, "size": len(data), "blobId": blob}
        sha = hashlib.sha256(data).hexdigest()
        return {
            "rfilename": name,
            "size": len(data),
            "blobId": blob,
            "lfs": {"sha256": sha, "size": len(data), "pointerSize": 134},
        }

    def etag(self, name: str) -> str:
        sibling = self.sibling(name)
        return str(sibling["lfs"]["sha256"] if "lfs" in sibling else sibling["blobId"])


class Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.hub.requests.append((self.command, path, self.headers["range"]))
        if path in (
            f"/api/models/{REPOSITORY}/revision/{COMMIT}",
            f"/api/models/{CODEC}/revision/{CODECS['encodec_24khz']}",
        ):
            siblings = [self.hub.sibling(name) for name in self.hub.files]
            self.tell({"_id": "1", "id": REPOSITORY, "sha": COMMIT, "siblings": siblings})
        elif path.startswith((f"/{REPOSITORY}/resolve/{COMMIT}/", f"/{CODEC}/resolve/{COMMIT}/")):
            self.send(path.rpartition("/")[2])
        else:
            self.head(404, 0, {"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET  # noqa: N815

    def tell(self, said: Any) -> None:
        body = json.dumps(said).encode()
        self.head(200, len(body), {"Content-Type": "application/json"})
        self.wfile.write(body)

    def send(self, name: str) -> None:
        data = self.hub.files[name]
        wanted = self.headers["range"] or "bytes=0-"
        start = int(wanted.removeprefix("bytes=").partition("-")[0])
        named = {"ETag": f'"{self.hub.etag(name)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        part = {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if start else {}
        self.head(206 if start else 200, len(data) - start, named | part)
        if self.command == "HEAD":
            return
        cut, self.hub.cut = (self.hub.cut, 0) if name.endswith("safetensors") else (0, self.hub.cut)
        self.wfile.write(data[start : start + cut] if cut else data[start:])

    def head(self, status: int, size: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(size), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None: ...


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    made = tiny.write(tmp_path / "published")
    hub = Hub({file.name: file.read_bytes() for file in made.iterdir()} | {"pytorch_model.bin": b"pickle"})
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    yield hub
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_the_engine_reads_is_fetched_and_nothing_else(hub: Hub, tmp_path: Path) -> None:
    assert fetch("musicgen-small", tmp_path / "weights", hub.url) == COMMIT

    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        assert (tmp_path / "weights" / name).read_bytes() == hub.files[name]
    assert not (tmp_path / "weights/pytorch_model.bin").exists()
    assert COMMIT in (tmp_path / "weights/REVISION").read_text()


def test_a_second_time_loads_nothing(hub: Hub, tmp_path: Path) -> None:
    fetch("musicgen-small", tmp_path / "weights", hub.url)
    hub.requests.clear()

    fetch("musicgen-small", tmp_path / "weights", hub.url)

    assert [path for method, path, _ in hub.requests if method == "GET" and "/resolve/" in path] == []


def test_a_fetch_that_broke_off_goes_on_where_it_stopped(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "CHUNK", 1000)  # what is written at a time
    hub.cut = 10_000

    fetch("musicgen-small", tmp_path / "weights", hub.url)

    ranges = [asked for method, path, asked in hub.requests if method == "GET" and "safetensors" in path]
    assert ranges[-1] == "bytes=10000-"
    assert (tmp_path / "weights/model.safetensors").read_bytes() == hub.files["model.safetensors"]


def test_what_an_earlier_run_had_is_not_fetched_again(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/model.safetensors.part").write_bytes(hub.files["model.safetensors"][:5000])

    fetch("musicgen-small", tmp_path / "weights", hub.url)

    assert [asked for _, path, asked in hub.requests if "safetensors" in path] == ["bytes=5000-"]
    assert (tmp_path / "weights/model.safetensors").read_bytes() == hub.files["model.safetensors"]


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_file_that_is_not_what_the_hub_says_is_removed(hub: Hub, tmp_path: Path, name: str) -> None:
    hub.told[name] = bytes(len(hub.files[name]))

    with pytest.raises(FetchError, match="fetch it again"):
        fetch("musicgen-small", tmp_path / "weights", hub.url)

    assert not (tmp_path / "weights" / name).exists()


def test_a_repository_without_safetensors_is_refused(hub: Hub, tmp_path: Path) -> None:
    del hub.files["model.safetensors"]

    with pytest.raises(FetchError, match="holds no safetensors"):
        fetch("musicgen-small", tmp_path / "weights", hub.url)


def test_what_the_hub_does_not_have_is_one_line(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(FetchError) as caught:
        fetch("musicgen-large", tmp_path / "weights", hub.url)

    assert "\n" not in str(caught.value)


def test_encodec_is_fetched_from_its_own_repository(hub: Hub, tmp_path: Path) -> None:
    del hub.files["tokenizer.json"]

    commit = fetch("encodec_24khz", tmp_path / "encodec", hub.url)

    assert commit == COMMIT
    assert (tmp_path / "encodec/model.safetensors").read_bytes() == hub.files["model.safetensors"]
    assert (tmp_path / "encodec/REVISION").read_text() == f"{CODEC} {COMMIT}\n"


def test_the_catalogue_names_the_revisions_that_are_fetched() -> None:
    assert {model.id: model.revision for model in MUSICGEN} == REVISIONS
