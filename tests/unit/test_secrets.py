"""A secret is read once, and again when it may have been replaced; without it a host cannot be asked."""

import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from lambdas.aws import clients
from lambdas.aws.secrets import KEPT, secret
from lambdas.core.errors import TransientError
from lambdas.core.works import Work
from lambdas.hosting import hosts
from lambdas.settings import AceStepSettings, ConductorSettings, ReplicateSettings
from tests.fakes.examples import PIECE

NOBODY = "https://127.0.0.1:1"
SETTINGS = ConductorSettings(
    stage="test",
    jobs_table="jobs",
    ledger_table="ledger",
    audio_bucket="audio",
    jobs_queue_url="https://jobs",
    deliveries_queue_url="https://deliveries",
    provenance_secret="provenance",
    chains={},
    redelivery_seconds=4,
    replicate=ReplicateSettings(version="0" * 64, hardware="t4", base_url=NOBODY, token_secret="token"),
    acestep=AceStepSettings(url=NOBODY, credentials_secret="keys"),
)
WORK = Work("job-1-1", 1, PIECE.but(model="musicgen-large"), NOBODY, NOBODY, NOBODY)
FORBIDDEN = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "Not you."}}, "GetSecretValue")


class Closed:
    """A vault that gives nothing away."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def get_secret_value(self, *, SecretId: str) -> dict[str, str]:  # noqa: N803
        raise self.error


class Vault:
    def __init__(self) -> None:
        self.reads = Counter[str]()

    def get_secret_value(self, *, SecretId: str) -> dict[str, str]:  # noqa: N803
        self.reads[SecretId] += 1
        return {"SecretString": f"{SecretId}, version {self.reads[SecretId]}"}


def test_a_secret_is_kept_for_minutes_and_then_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    vault, clock = Vault(), iter([0.0, 1.0, KEPT - 1.0, KEPT + 1.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))

    read = [secret(vault, "token") for _ in range(4)]  # type: ignore[arg-type]

    assert read == ["token, version 1"] * 3 + ["token, version 2"]


def test_secrets_are_told_apart() -> None:
    vault = Vault()

    assert secret(vault, "one") != secret(vault, "two")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "error", [FORBIDDEN, EndpointConnectionError(endpoint_url=NOBODY), KeyError("SecretString")]
)
@pytest.mark.parametrize("host", ["replicate", "acestep"])
def test_a_host_whose_secret_cannot_be_read_cannot_be_asked_now_and_the_operator_hears_why(
    host: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[Mapping[str, str]] = []
    monkeypatch.setattr(clients, "secrets", lambda: Closed(error))
    backend = hosts(SETTINGS, lambda: datetime.now(UTC), lambda name, why: warned.append(why))[host]

    with pytest.raises(TransientError) as caught:
        backend.start(WORK)

    assert caught.value.code == "secret_unreadable"
    assert [why["backend"] for why in warned] == [host]
    assert type(error).__name__ in warned[0]["error"]
