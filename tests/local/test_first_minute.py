"""`make run` as a person meets it: its first words, its errors, its end, and what it remembers."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copy, copytree

import pytest

from local import HOST, ROOT
from local.emulator import free_pair

READY = "Ctrl-C stops."
PATIENCE_SECONDS = 120


@contextmanager
def make_run(folder: Path, port: int = 0, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """`make run` in a session of its own, as a terminal gives it; ended on the way out with all it began."""
    port = port or free_pair()
    arguments = [f"{name}={value}" for name, value in {"PORT": port, "FOLDER": folder, **variables}.items()]
    with subprocess.Popen(
        ["make", "-s", "run", *arguments],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """A run that does not end when it is told to fails its test, instead of holding all of them."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise


def read_until_ready(process: subprocess.Popen[str]) -> str:
    said = ""
    for line in process.stdout or ():
        said += line
        if READY in line:
            return said
    raise AssertionError(f"`make run` ended without being ready:\n{said}")


def living(folder: Path) -> list[str]:
    """The processes whose environment names this folder: the emulator and every function it runs."""
    mark = f"STATE_DIR={folder}/".encode()
    return [each.parent.name for each in Path("/proc").glob("[0-9]*/environ") if mark in _read(each)]


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def wait_until_gone(folder: Path) -> None:
    for _ in range(300):
        if not living(folder):
            return
        time.sleep(0.1)
    raise AssertionError(f"still there: {living(folder)}")


def addresses(folder: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((folder / "outputs.json").read_text())
    return found


def fetch(url: str, body: object = None) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"} if data else {})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        content: bytes = answer.read()
        return content


def compose(api: str) -> str:
    """Ask for a short song and wait for it; its job's id."""
    job = json.loads(fetch(f"{api}/generate", {"prompt": "calm piano", "duration": 5}))
    for _ in range(PATIENCE_SECONDS):
        if job["status"] in ("completed", "failed"):
            break
        time.sleep(1)
        job = json.loads(fetch(f"{api}/jobs/{job['job_id']}"))
    assert job["status"] == "completed", job
    return str(job["job_id"])


def refused(process: subprocess.Popen[str]) -> str:
    """What a failing `make run` said, less make's own last line."""
    said = process.communicate(timeout=PATIENCE_SECONDS)[0]
    assert process.returncode != 0
    return "\n".join(line for line in said.strip().splitlines() if not line.startswith("make"))


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_with_every_process_it_started(tmp_path: Path, ending: signal.Signals) -> None:
    with make_run(tmp_path) as process:
        read_until_ready(process)
        assert living(tmp_path)

        if ending is signal.SIGINT:
            os.killpg(process.pid, ending)  # a terminal's Ctrl-C reaches make and what it runs
        else:
            process.send_signal(ending)
        said = process.communicate(timeout=60)[0]

        assert "Stopped." in said
        assert "Traceback" not in said
        assert living(tmp_path) == []


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
def test_the_emulator_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    with make_run(tmp_path) as process:
        read_until_ready(process)

        os.killpg(process.pid, signal.SIGKILL)

        wait_until_gone(tmp_path)


def test_it_says_where_everything_is(tmp_path: Path) -> None:
    port = free_pair()
    with make_run(tmp_path, port) as process:
        said = read_until_ready(process)

        here = addresses(tmp_path)

        assert here["api_url"] == f"http://{HOST}:{port}/v1"
        assert here["site_url"] == f"http://{HOST}:{port}/"
        assert f"curl -X POST {here['api_url']}/generate" in said
        assert here["site_url"] in said
        assert json.loads(fetch(f"{here['api_url']}/health"))["status"] == "ok"
        assert b"<title>Cadenza</title>" in fetch(here["site_url"])


def test_jobs_and_audio_outlive_a_restart_and_a_crash(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with make_run(tmp_path) as process:
        read_until_ready(process)
        first = compose(addresses(tmp_path)["api_url"])

    started = time.monotonic()
    with make_run(tmp_path) as process:
        read_until_ready(process)
        record_property("restart_s", round(time.monotonic() - started, 1))
        second = compose(addresses(tmp_path)["api_url"])
        time.sleep(8)  # a crash may cost what is younger than the last save, and no more
        for each in living(tmp_path):
            os.kill(int(each), signal.SIGKILL)
        assert "ended by itself" in process.communicate(timeout=60)[0]

    with make_run(tmp_path) as process:
        read_until_ready(process)
        api = addresses(tmp_path)["api_url"]
        jobs = [json.loads(fetch(f"{api}/jobs/{job_id}")) for job_id in (first, second)]

        assert [job["status"] for job in jobs] == ["completed", "completed"]
        assert [fetch(job["audio_url"])[:4] for job in jobs] == [b"RIFF", b"RIFF"]


@pytest.mark.parametrize("offset", [0, 1])
def test_a_port_in_use_is_one_clear_line(tmp_path: Path, offset: int) -> None:
    port = free_pair()
    with socket.socket() as other:
        other.bind((HOST, port + offset))
        other.listen()

        with make_run(tmp_path, port) as process:
            said = refused(process)

    assert (
        said.splitlines()[-1]
        == f"Port {port + offset} is in use; pick another, for example `make run PORT=4700`."
    )


def test_a_second_run_on_the_same_state_is_one_clear_line(tmp_path: Path) -> None:
    with make_run(tmp_path) as first:
        read_until_ready(first)

        with make_run(tmp_path) as second:
            said = refused(second)

    assert said == f"Another `make run` is using {tmp_path}; stop it first."


def test_a_missing_node_is_one_clear_line(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "sh").symlink_to("/bin/sh")

    with make_run(tmp_path / "state", PATH=str(tools), PYTHON=sys.executable) as process:
        said = refused(process)

    assert said == "Node.js 20 or newer is needed and no `node` is on the PATH: https://nodejs.org"


def test_an_unreachable_package_registry_is_one_clear_line(tmp_path: Path) -> None:
    checkout = tmp_path / "fresh"
    copytree(ROOT / "local", checkout / "local")
    copytree(ROOT / "lambdas", checkout / "lambdas")
    for name in ("Makefile", "requirements.txt"):
        copy(ROOT / name, checkout)
    nowhere = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_TIMEOUT": "2",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "MAKE"))}

    result = subprocess.run(
        ["make", "-s", "run"],
        cwd=checkout,
        env=inherited | nowhere,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )

    assert result.returncode != 0
    said = [line for line in result.stderr.splitlines() if not line.startswith("make")]
    assert len(said) == 1
    assert said[0].startswith("pip could not install the packages: its registry cannot be reached.")


def test_an_old_python_is_one_clear_line(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)

    with make_run(tmp_path, PYTHON=str(old)) as process:
        said = refused(process)

    assert said == f"Python 3.11 or newer is needed, and '{old}' is not that. Try make PYTHON=python3.12 …"
