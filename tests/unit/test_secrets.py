"""A secret is read once, and again when it may have been replaced."""

import time
from collections import Counter

import pytest

from lambdas.aws.secrets import KEPT, secret


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
