"""The contract of ports.Inbox: what the store takes from a stranger with a form, and what it does not."""

from dataclasses import replace

import pytest

from lambdas.core.ports import Form, Stored
from tests.contract.adapters import Adapters

KEY = "uploads/0123456789abcdef/upload-1"
OTHERS = "uploads/fedcba9876543210/upload-2"


def offered(adapters: Adapters, most: int = 1000) -> Form:
    return adapters.objects.offer(KEY, "audio/mpeg", most, 900)


def changed(form: Form, **fields: str) -> Form:
    return replace(form, fields={**form.fields, **{name.replace("_", "-"): fields[name] for name in fields}})


def test_a_file_that_was_sent_lies_at_its_key_with_its_type(adapters: Adapters) -> None:
    assert adapters.post(offered(adapters), b"a song")

    assert adapters.objects.look(KEY) == Stored(6, "audio/mpeg")
    assert adapters.objects.read(KEY) == b"a song"


def test_a_file_that_never_came_is_none(adapters: Adapters) -> None:
    offered(adapters)

    assert adapters.objects.look(KEY) is None


@pytest.mark.parametrize(("size", "taken"), [(0, False), (1, True), (1000, True), (1001, False)])
def test_as_many_bytes_are_taken_as_were_offered(adapters: Adapters, size: int, taken: bool) -> None:
    assert adapters.post(offered(adapters), bytes(size)) is taken

    assert (adapters.objects.look(KEY) is not None) is taken


@pytest.mark.parametrize("other", ["text/html", "audio/mpeg; charset=utf-8", "audio/wav", ""])
def test_another_type_is_refused(adapters: Adapters, other: str) -> None:
    assert not adapters.post(changed(offered(adapters), Content_Type=other), b"a song")

    assert adapters.objects.look(KEY) is None


@pytest.mark.parametrize("other", [OTHERS, "audio/1d/job-1/job-1.wav", KEY + "/more", ""])
def test_another_place_is_refused(adapters: Adapters, other: str) -> None:
    assert not adapters.post(changed(offered(adapters), key=other), b"a song")

    assert adapters.objects.look(KEY) is None
    if other:
        assert adapters.objects.look(other) is None


def test_a_form_may_be_used_again_and_the_last_file_counts(adapters: Adapters) -> None:
    form = offered(adapters)

    assert adapters.post(form, b"first")
    assert adapters.post(form, b"second")

    assert adapters.objects.read(KEY) == b"second"
