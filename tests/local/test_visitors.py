"""No website that is open in a browser on this machine gets at the laptop's ports."""

import base64
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from local.emulator import Emulator
from local.visitors import unwelcome
from tests.local import standin

PAGE, CLOUD = 4600, 4601
HERE = {"host": "127.0.0.1:4601"}


def asked(headers: Mapping[str, str], port: int = CLOUD, method: str = "POST") -> dict[str, Any]:
    told = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"method": method, "server": ("127.0.0.1", port), "headers": told}


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "rebound.example:4601"},
        {"host": "127.0.0.1.rebound.example"},
        {"host": "[::1"},
        {"origin": "https://website.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": "http://127.0.0.1:4600.website.example"},
        {"referer": "https://website.example/page"},
        {"referer": "http://127.0.0.1:4600@website.example/"},
        {"referer": "http://[oops/"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    ],
)
def test_a_website_is_turned_away(headers: dict[str, str]) -> None:
    assert unwelcome(asked(HERE | headers), PAGE)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"host": "localhost:4601"},
        {"host": "abc.execute-api.localhost:4601"},
        {"origin": "http://127.0.0.1:4600", "sec-fetch-site": "same-site"},
        {"origin": "http://localhost:4600", "sec-fetch-site": "cross-site"},
        {"referer": "http://localhost:4600/", "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"},
    ],
)
def test_programs_of_this_machine_and_the_page_come_in(headers: dict[str, str]) -> None:
    assert not unwelcome(asked(HERE | headers), PAGE)


def test_a_link_from_elsewhere_leads_to_the_page_but_does_nothing_there() -> None:
    followed = {"referer": "https://website.example/", "sec-fetch-mode": "navigate"}

    assert not unwelcome(asked(HERE | followed, PAGE, "GET"), PAGE)
    assert unwelcome(asked(HERE | followed, PAGE, "POST"), PAGE)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with standin.emulator(tmp_path_factory.mktemp("visited"), {}) as started:
        yield started


def function() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("code.py", "def handler(event, context): return 'ran'")
    code = {"ZipFile": base64.b64encode(archive.getvalue()).decode()}
    role = standin.ROLE
    told = {"FunctionName": "theirs", "Runtime": "python3.13", "Role": role, "Handler": "code.handler"}
    return json.dumps(told | {"Code": code}).encode()


def test_no_website_can_have_its_code_run(emulator: Emulator) -> None:
    simple = {"content-type": "text/plain", "origin": "https://website.example"}

    answer = httpx.post(
        f"{emulator.endpoint}/2015-03-31/functions", content=function(), headers=simple, trust_env=False
    )

    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert emulator.client("lambda").list_functions()["Functions"] == []


def test_no_name_of_somebody_elses_leads_to_the_page(emulator: Emulator) -> None:
    answer = httpx.get(
        f"http://127.0.0.1:{emulator.port}/", headers={"host": "rebound.example"}, trust_env=False
    )

    assert answer.status_code == 403
