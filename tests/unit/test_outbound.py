"""Webhooks leave through a real TLS connection here, to a server on the loopback address."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lambdas.core.addresses import is_public
from lambdas.core.errors import PermanentError, TransientError
from lambdas.outbound import Outbound, resolve
from tests.unit.receiver import HOST, LOOPBACK, Receiver, receiving, write_certificate


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    write_certificate(file)
    return file


def outbound(receiver: Receiver, certificate: Path | None, **changes: float) -> Outbound:
    return Outbound(
        lookup=lambda _: [LOOPBACK],
        allowed=lambda _: True,
        port=receiver.port,
        ca_certs=str(certificate) if certificate else None,
        **changes,
    )


def test_a_post_arrives_whole_under_its_own_host_name(certificate):
    with receiving(certificate) as receiver:
        status = outbound(receiver, certificate).post(
            f"https://{HOST}/a%20b/ü?to=me&and=you#part", b"{}", {"webhook-id": "msg_1"}
        )

    assert status == 200
    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /a%20b/%C3%BC?to=me&and=you HTTP/1.1"
    assert {b"host: hooks.example.com", b"webhook-id: msg_1"} <= {line.lower() for line in lines}
    assert body == b"{}"


@pytest.mark.parametrize("url", [f"https://{HOST}", f"https://{HOST}/", f"https://{HOST}?"])
def test_an_address_without_a_path_is_its_root(certificate, url):
    with receiving(certificate) as receiver:
        outbound(receiver, certificate).post(url, b"", {})

    assert receiver.requests[0].startswith(b"POST / HTTP/1.1\r\n")


@pytest.mark.parametrize("status", [204, 404, 410, 500])
def test_the_status_answered_is_told(certificate, status):
    answer = f"HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n".encode()

    with receiving(certificate, answer) as receiver:
        assert outbound(receiver, certificate).post(f"https://{HOST}/", b"", {}) == status


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_told_and_not_followed(certificate, status):
    answer = f"HTTP/1.1 {status} Moved\r\nLocation: https://{HOST}/other\r\nContent-Length: 0\r\n\r\n"

    with receiving(certificate, answer.encode()) as receiver:
        assert outbound(receiver, certificate).post(f"https://{HOST}/", b"", {}) == status

    assert len(receiver.requests) == 1


def test_an_answer_without_end_is_not_read(certificate):
    def flood(connection: ssl.SSLSocket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with receiving(certificate, flood) as receiver:
        assert outbound(receiver, certificate).post(f"https://{HOST}/", b"", {}) == 200


@contextmanager
def dripping(certificate: Path, begin: bytes) -> Iterator[Receiver]:
    stop = threading.Event()

    def drip(connection: ssl.SSLSocket) -> None:
        connection.sendall(begin)
        while not stop.wait(0.02):
            connection.sendall(b"x")

    with receiving(certificate, drip) as receiver:
        yield receiver
        stop.set()


def test_an_answer_that_drips_for_ever_is_cut_off(certificate):
    with dripping(certificate, b"") as receiver, pytest.raises(TransientError):
        outbound(receiver, certificate, patience=0.3).post(f"https://{HOST}/", b"", {})


def test_a_status_counts_even_when_the_headers_after_it_drip_for_ever(certificate):
    with dripping(certificate, b"HTTP/1.1 200 OK\r\nx-slow: ") as receiver:
        assert outbound(receiver, certificate, patience=0.3).post(f"https://{HOST}/", b"", {}) == 200


def test_a_receiver_that_says_nothing_is_left(certificate):
    stop = threading.Event()

    def say_nothing(connection: ssl.SSLSocket) -> None:
        stop.wait()

    with receiving(certificate, say_nothing) as receiver:
        with pytest.raises(TransientError):
            outbound(receiver, certificate, silence=0.2).post(f"https://{HOST}/", b"", {})
        stop.set()


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 500])
def test_an_answer_that_is_no_http_may_be_better_another_time(certificate, answer):
    with receiving(certificate, answer) as receiver, pytest.raises(TransientError):
        outbound(receiver, certificate).post(f"https://{HOST}/", b"", {})


@pytest.mark.parametrize("port", [1, 9])
def test_a_closed_port_may_be_open_another_time(port):
    courier = Outbound(lookup=lambda _: [LOOPBACK], allowed=lambda _: True, port=port)

    with pytest.raises(TransientError):
        courier.post(f"https://{HOST}/", b"", {})


def test_a_certificate_of_another_host_is_refused(certificate):
    with receiving(certificate) as receiver, pytest.raises(TransientError):
        outbound(receiver, certificate).post("https://other.example.com/", b"", {})

    assert receiver.requests == []


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate):
    with receiving(certificate) as receiver, pytest.raises(TransientError):
        outbound(receiver, None).post(f"https://{HOST}/", b"", {})

    assert receiver.requests == []


PRIVATE = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "169.254.170.2", "100.64.0.1", "192.0.0.1", "198.18.0.1", "224.0.0.1", "240.0.0.1",
    "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::127.0.0.1", "2002:7f00:1::",
    "2002:a9fe:a9fe::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "fec0::1", "2001:db8::1",
    "2001::1", "4000::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e"]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_leads_into_a_private_network_is_never_called(address):
    courier = Outbound(lookup=lambda _: [address])

    with pytest.raises(PermanentError) as refused:
        courier.post(f"https://{HOST}/", b"", {})

    assert refused.value.code == "private_address"


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_on_the_open_internet_may_be_called(address):
    assert is_public(address)


def test_one_private_address_among_public_ones_is_enough_to_refuse():
    courier = Outbound(lookup=lambda _: [*PUBLIC, "10.0.0.1"])

    with pytest.raises(PermanentError):
        courier.post(f"https://{HOST}/", b"", {})


def test_a_name_that_changes_its_mind_is_called_where_it_was_checked(certificate):
    asked: list[str] = []

    def rebinding(host: str) -> list[str]:
        asked.append(host)
        return [LOOPBACK] if len(asked) == 1 else ["10.0.0.1"]

    with receiving(certificate) as receiver:
        courier = Outbound(rebinding, lambda address: address == LOOPBACK, receiver.port, str(certificate))
        assert courier.post(f"https://{HOST}/", b"", {}) == 200

    assert asked == [HOST]
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/", "ftp://hooks.example.com/", "hooks.example.com", "", "https://",
        "https:///path", "https://[::1", f"https://{'a' * 64}.example.com/", "https://a..example.com/",
    ],
)  # fmt: skip
def test_what_is_no_https_address_is_refused_for_good(url):
    with pytest.raises(PermanentError):
        Outbound(lookup=lambda _: PUBLIC).post(url, b"", {})


def test_a_name_without_an_address_may_have_one_another_time():
    with pytest.raises(TransientError):
        Outbound(lookup=_unknown).post(f"https://{HOST}/", b"", {})


def _unknown(host: str) -> list[str]:
    raise TransientError("unresolved", f"{host} has no address.")


def test_a_numeric_host_is_what_it_spells():
    assert resolve("127.0.0.1") == ["127.0.0.1"]
