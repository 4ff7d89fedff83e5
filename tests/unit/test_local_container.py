"""`make run MODEL=… WEIGHTS=…`: from a folder to a server that is healthy, and a clear line for all else.

The engine's commands are played by a small script, so that its environment is not needed.
"""

import json
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from urllib.request import urlopen

import pytest

from local import HOST, LocalError, weights
from local import container as module
from local.checkpoints import find
from local.container import Container
from local.environments import Say

ENGINE = """#!{python}
import http.server, json, os, pathlib, sys
module, arguments = sys.argv[2], sys.argv[3:]
if module == "model_container.pack":
    if "odd" in pathlib.Path(arguments[0]).name:
        sys.exit("Not packed: it is odd")
    pathlib.Path(arguments[1]).mkdir()
    pathlib.Path(arguments[1], "pack.json").write_text("{{}}")
elif module == "model_container.serve":
    if pathlib.Path(arguments[0], "broken").exists():
        print(json.dumps({{"message": "not loaded", "reason": "it is broken"}}))
        sys.exit(1)
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/end":
                print(json.dumps({{"message": "ended", "reason": "it is tired"}}), flush=True)
                os._exit(1)
            unusable = pathlib.Path(arguments[0], "unusable").exists()
            self.send_response(503 if unusable or pathlib.Path(arguments[0], "ill").exists() else 200)
            self.end_headers()
            if unusable:
                self.wfile.write(b'{{"error": {{"code": "unusable", "detail": "a tensor is missing"}}}}')
    http.server.HTTPServer((arguments[2], int(arguments[4])), Handler).serve_forever()
"""


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    engine = tmp_path / "engine"
    engine.write_text(ENGINE.format(python=sys.executable))
    engine.chmod(0o755)
    for knowing in (module, weights):
        monkeypatch.setattr(knowing, "ENGINE", SimpleNamespace(ensure=lambda say: engine))
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    return Container(tmp_path / "state", port, lambda text: None)


def checkpoint(folder: Path, kind: str = "musicgen") -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def packed(folder: Path, *marks: str) -> Path:
    folder.mkdir()
    for name in ("pack.json", *marks):
        (folder / name).write_text("{}")
    return folder


def ready(folder: Path, say: Say = lambda text: None) -> Path:
    """The packed folder of what is named by WEIGHTS."""
    return weights.packed(find("musicgen-small", folder, None, None), folder.parent / "packs", say)


def refused(container: Container, folder: Path) -> str:
    with ExitStack() as running, pytest.raises(LocalError) as caught:
        container.start(running, ready(folder))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_packed_folder_is_served_until_the_run_ends(container: Container, tmp_path: Path) -> None:
    with ExitStack() as running:
        container.start(running, ready(packed(tmp_path / "pack")))

        with urlopen(f"{container.url}/ping") as answer:
            assert answer.status == 200

    with pytest.raises(OSError):
        urlopen(f"{container.url}/ping")


def for_ever(look: Callable[[], None]) -> None:
    while True:
        look()


def test_a_server_that_ends_in_the_middle_of_a_run_is_missed(container: Container, tmp_path: Path) -> None:
    with ExitStack() as running:
        expect_alive = container.start(running, ready(packed(tmp_path / "pack")))
        expect_alive()
        with pytest.raises(OSError):
            urlopen(f"{container.url}/end")

        with pytest.raises(LocalError, match="The model's server ended: it is tired"):
            for_ever(expect_alive)


def test_a_checkpoint_is_packed_once(container: Container, tmp_path: Path) -> None:
    named = checkpoint(tmp_path / "checkpoint")
    said: list[str] = []

    folders = [ready(named, said.append) for _ in range(2)]

    assert folders[0] == folders[1]
    assert len(said) == 1


def test_another_checkpoint_has_a_pack_of_its_own(container: Container, tmp_path: Path) -> None:
    folders = {ready(checkpoint(tmp_path / name, name)) for name in ("musicgen", "musicgen-2")}

    assert len(folders) == 2


def test_a_folder_that_is_not_there_is_named(container: Container, tmp_path: Path) -> None:
    assert refused(container, tmp_path / "nowhere") == f"WEIGHTS={tmp_path / 'nowhere'} is no folder."


def test_a_folder_without_a_checkpoint_is_told_what_it_lacks(container: Container, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert "holds no checkpoint" in refused(container, tmp_path / "empty")


def test_what_the_engine_cannot_pack_is_said_in_its_words(container: Container, tmp_path: Path) -> None:
    assert refused(container, checkpoint(tmp_path / "odd", "musicgen-odd")) == "Not packed: it is odd"


def test_a_model_that_cannot_be_used_is_not_waited_for(container: Container, tmp_path: Path) -> None:
    said = refused(container, packed(tmp_path / "pack", "unusable"))

    assert said == "The model cannot be used: a tensor is missing"


def test_a_server_that_ends_says_why(container: Container, tmp_path: Path) -> None:
    said = refused(container, packed(tmp_path / "pack", "broken"))

    assert said == "The model's server ended: it is broken"


def test_a_server_that_stays_ill_is_given_up(
    container: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "START_SECONDS", 0.0)

    assert "is not healthy" in refused(container, packed(tmp_path / "pack", "ill"))


def test_a_taken_port_is_named(container: Container, tmp_path: Path) -> None:
    with socket.create_server((HOST, container.port)):
        assert f"Port {container.port} is in use" in refused(container, packed(tmp_path / "pack"))
