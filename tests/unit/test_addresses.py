"""Where a webhook may lead, told from its address alone."""

import pytest
from pydantic import ValidationError

from lambdas.core.addresses import is_public, may_be_public
from lambdas.core.requests import GenerateRequest

PRIVATE = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "10.0.0.1", "10.0.0.1.", "172.16.0.1",
    "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::",
    "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "ff02::1",
]  # fmt: skip
INSIDE = ["localhost", "LOCALHOST", "a.localhost", "printer.local", "db.internal", "nas.lan", "intranet", ""]
MALFORMED = ["-a.example", "a..example", "bücher.example", "a b.example", f"{'a' * 64}.example", "1.2.3"]


@pytest.mark.parametrize("host", [*PRIVATE, *INSIDE, *MALFORMED])
def test_a_host_that_leads_into_a_network_or_nowhere_is_told_by_its_looks(host: str) -> None:
    assert not may_be_public(host)


@pytest.mark.parametrize(
    "host", ["example.com", "Example.COM.", "xn--bcher-kva.example", "8.8.8.8", "2606:4700::1111"]
)
def test_a_host_on_the_open_internet_is_let_through(host: str) -> None:
    assert may_be_public(host)


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "169.254.169.254"])
def test_a_resolved_address_inside_a_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "metadata.google.internal", "0x7f.1"])
def test_a_webhook_into_a_private_network_is_refused_at_registration(host: str) -> None:
    with pytest.raises(ValidationError, match="private network"):
        GenerateRequest.model_validate({"prompt": "rain", "webhook_url": f"https://{host}/hook"})


def test_a_webhook_to_a_public_address_is_registered() -> None:
    url = "https://hooks.example.com/cadenza?token=1"

    assert GenerateRequest.model_validate({"prompt": "rain", "webhook_url": url}).webhook_url == url
