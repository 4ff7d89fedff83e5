"""Signed messages from outside: the specification's own example, and everything that is not quite it."""

from datetime import UTC, datetime, timedelta

import pytest

from lambdas.core.signing import MOST_SIGNATURES, genuine, secrets_in, sign

# The example in the tests of Standard Webhooks' libraries, and of Replicate's own client.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
HEADERS = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
THEN = datetime.fromtimestamp(1614265330, UTC)
OTHER = "whsec_" + "QUJD" * 8


def is_genuine(secrets: str = SECRET, body: bytes = BODY, now: datetime = THEN, **changes: str) -> bool:
    headers = HEADERS | {f"webhook-{name}": value for name, value in changes.items()}
    return genuine(secrets_in(secrets), headers, body, now)


def test_the_documented_example_is_genuine():
    assert is_genuine()


@pytest.mark.parametrize("seconds", [-300, -299, 299, 300])
def test_a_message_may_be_five_minutes_off(seconds: int) -> None:
    assert is_genuine(now=THEN + timedelta(seconds=seconds))


@pytest.mark.parametrize("seconds", [-86400, -301, 301, 86400])
def test_an_older_message_and_one_from_the_future_are_not_heard(seconds: int) -> None:
    assert not is_genuine(now=THEN + timedelta(seconds=seconds))


def test_one_of_several_signatures_is_enough():
    old = sign(b"an older secret", HEADERS["webhook-id"], 1614265330, BODY)

    assert is_genuine(signature=f"{old} v1a,not-for-us {HEADERS['webhook-signature']}")


@pytest.mark.parametrize("secrets", [f"{OTHER} {SECRET}", f"{SECRET}\n{OTHER}"])
def test_one_of_several_secrets_is_enough(secrets: str) -> None:
    assert is_genuine(secrets)


def test_no_secret_verifies_nothing():
    assert not is_genuine("")


@pytest.mark.parametrize(
    "changes",
    [
        {"body": b'{"test": 2432232315}'},
        {"body": b'{"test":2432232314}'},
        {"secrets": OTHER},
        {"id": "msg_another"},
        {"id": ""},
        {"timestamp": "1614265331"},
        {"timestamp": ""},
        {"timestamp": "-1614265330"},
        {"timestamp": "1614265330.0"},
        {"timestamp": "١٦١٤٢٦٥٣٣٠"},
        {"timestamp": "9" * 400},
        {"signature": ""},
        {"signature": "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"signature": "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF="},
        {"signature": "v1,ﾩ"},
        {"signature": "v1,\ud800"},
        {"id": "\ud800"},
    ],
)
def test_whatever_was_not_signed_is_not_genuine(changes: dict[str, str]) -> None:
    assert not is_genuine(**changes)  # type: ignore[arg-type]


def test_a_sender_cannot_make_us_compare_for_ever():
    wrong = "v1,no " * MOST_SIGNATURES

    assert not is_genuine(signature=wrong + HEADERS["webhook-signature"])


@pytest.mark.parametrize("text", ["whsec_", "secret", "whsec_%%%", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
def test_what_is_no_secret_is_not_taken_for_one(text: str) -> None:
    with pytest.raises(ValueError, match="whsec_"):
        secrets_in(text)
