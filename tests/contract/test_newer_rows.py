"""What a newer version has written is read by this one, so that a rollback leaves every row as it is."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from typing import Any, get_args, get_type_hints

import pytest
from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from lambdas.backends.sagemaker import _Receipt
from lambdas.backends.wire import State
from lambdas.core.breaking import Breaker, Breakers, Fuse
from lambdas.core.jobs import Job
from lambdas.core.pieces import Fault, Lease, Piece, Reference, Source, Take, Ticket, Trial
from lambdas.core.ports import Message
from lambdas.core.segments import Part, Segment
from lambdas.core.submitting import Memo
from lambdas.core.uploading import Upload
from tests.contract.adapters import Adapters
from tests.fakes.examples import HOOK, NOW, PIECE, a_finished_job, a_job

SOURCE = Source(upload_id="upload-1", key="uploads/1")
FULL = a_finished_job(
    piece=PIECE.but(tracks=(SOURCE,), audio=Reference(role="melody", **SOURCE.model_dump())),
    webhook=HOOK,
    lease=Lease(holder="worker", until=NOW),
    inputs=(Take(role="melody", key="raw/1", seconds=1.0),),
    ticket=Ticket(id="t"),
    segment=Segment(start=0.0, end=1.0),
    parts=(Part(start=0.0, end=1.0, key="raw/2"),),
    trials=(Trial(attempt=1, backend="first", code="cold", detail="Starting up."),),
    fault=Fault(code="refused", detail="No."),
)


def names(kind: Any) -> tuple[str, ...]:
    """A record's fields; none of any other kind."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return tuple(kind.model_fields)
    return tuple(each.name for each in fields(kind)) if is_dataclass(kind) else ()


def records(hint: Any) -> Iterator[type]:
    """Every kind of record that may lie in a value of this type."""
    inner = get_args(hint)
    if found := names(hint):
        yield hint
        inner = tuple(each for name, each in get_type_hints(hint).items() if name in found)
    for each in inner:
        yield from records(each)


def newer(value: Any, seen: set[type]) -> Any:
    """The same as JSON, each record in it with two fields more."""
    if found := names(type(value)):
        seen.add(type(value))
        more = {"mood": {"a": [1]}, "zone": None}
        return {name: newer(getattr(value, name), seen) for name in found} | more
    if isinstance(value, Mapping):
        return {str(key): newer(each, seen) for key, each in value.items()}
    return [newer(each, seen) for each in value] if isinstance(value, tuple) else to_jsonable_python(value)


def test_a_row_with_more_in_every_record_of_it_is_the_same_job(adapters: Adapters) -> None:
    seen = set[type]()
    adapters.jobs.insert(FULL)

    adapters.store(FULL.job_id, json.dumps(newer(FULL, seen)))

    assert seen == set(records(Job))
    assert adapters.jobs.get(FULL.job_id) == FULL
    assert adapters.jobs.owned_by("anonymous", 10, None, None, None).jobs == (FULL,)


def test_what_comes_from_outside_may_hold_nothing_that_is_unknown() -> None:
    with pytest.raises(ValidationError):
        Piece.model_validate(newer(PIECE, set()))


@pytest.mark.parametrize("document", ['{"job_id": "job-2"}', '{"status": "dreaming"}', "{", '"job"', ""])
def test_a_row_that_cannot_be_read_is_left_out_of_its_owners_list(adapters: Adapters, document: str) -> None:
    jobs = [a_job(f"job-{nth}", created_at=NOW + timedelta(seconds=nth)) for nth in (1, 2, 3)]
    for job in jobs:
        adapters.jobs.insert(job)

    adapters.store("job-2", document)

    listed = adapters.jobs.owned_by("anonymous", 10, None, None, None).jobs
    assert [job.job_id for job in listed] == ["job-3", "job-1"]


def test_a_breaker_that_a_newer_version_opened_is_open(adapters: Adapters) -> None:
    until = NOW + timedelta(minutes=1)
    said = json.dumps(newer(Fuse(openings=1, until=until), set()))

    adapters.ledger.put("breaker#first", said, until)

    assert Breakers(adapters.ledger, adapters.time).states(["first"]) == {"first": Breaker.OPEN}


@pytest.mark.parametrize(
    "fact",
    [
        Memo(digest="ab", job_ids=("job-1",), pending_until=NOW),
        Upload(upload_id="upload-1", key="uploads/1", filename="song.wav"),
    ],
    ids=["idempotency key", "upload"],
)
def test_a_fact_of_the_ledgers_with_more_in_it_is_the_same(fact: Memo | Upload) -> None:
    assert type(fact).model_validate_json(json.dumps(newer(fact, set()))) == fact


def test_a_newer_versions_ticket_of_sagemakers_is_its_ticket() -> None:
    receipt = _Receipt(id="job-1-1", began=1.0, state=State(id="job-1-1", status="finished"))

    assert _Receipt.model_validate_json(json.dumps(newer(receipt, set()))) == receipt


def test_a_newer_versions_message_is_a_message() -> None:
    message = Message(job_id="job-1", attempt=2, not_before=NOW)

    assert Message.read(json.dumps(newer(message, set()))) == message
