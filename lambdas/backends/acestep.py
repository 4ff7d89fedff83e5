"""ACE-Step 1.5 as a backend: its own API server, on one's own machine or on Modal (deploy/acestep_modal.py).

Knows the order of the calls and what they mean for a job. Must not know who asked, or what becomes of the
audio. The server makes up its tasks' ids and cannot stop a task: a start is sent once, a cancel does nothing.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import urllib3

from lambdas.backends.acestep_http import Credentials, Server
from lambdas.backends.acestep_request import Asked, asked
from lambdas.backends.acestep_result import (
    FAILED,
    SUCCEEDED,
    Song,
    audio_path,
    idle,
    named,
    receipt,
    state,
)
from lambdas.backends.exchange import PATIENCE
from lambdas.backends.wav import beginning
from lambdas.core.errors import BackendError, StoreFault
from lambdas.core.paces import LONGEST
from lambdas.core.pieces import Ticket
from lambdas.core.ports import Clock, Failed, Finished, Input, Running, Work

CHECK_AFTER = 2.0
RETRIES = urllib3.Retry(total=1, status=0, respect_retry_after_header=False)  # of a read from our own store
LONG = 300.0  # seconds after which a task that is still not made may have died with its server
QUEUED, BEGUN = ("", "queued"), "running"  # stages that say no more than that
MAKING = "Making music"
UNKNOWN = Failed("unknown_work", "The ACE-Step server no longer knows this work.", transient=True)
GONE = Failed("audio_gone", "The ACE-Step server no longer has this work's audio.", transient=True)
NO_AUDIO = Failed("no_audio", "The ACE-Step server finished without audio.", transient=True)
ELSEWHERE = Failed(
    "strange_address", "The ACE-Step server names no audio of its own.", transient=True, elsewhere=True
)
TOO_BIG = Failed(
    "out_of_memory", "This piece is too big for the ACE-Step server's GPU.", transient=True, elsewhere=True
)
BROKEN = Failed("generation_failed", "The ACE-Step server could not make this music.", transient=True)

Put = Callable[[str, bytes], object]  # a presigned address, the audio


@dataclass(frozen=True)
class AceStepBackend:
    """Implements ports.Backend.

    usd_per_second: of the server's hardware. expected_s: seconds of work per second of audio, which cost is
    counted by where the server does not say how long it worked. planning: whether it has its language model.
    """

    longest: ClassVar[float] = LONGEST["acestep"]

    url: str
    http: urllib3.PoolManager
    put: Put
    clock: Clock
    credentials: Credentials = lambda: "{}"
    usd_per_second: float = 0.0
    expected_s: float = 0.0
    planning: bool = True
    patience: float = PATIENCE

    @property
    def server(self) -> Server:
        return Server(self.url, self.http, self.credentials, self.patience)

    def start(self, work: Work) -> Ticket:
        order = asked(work.piece, work.inputs, planning=self.planning)
        self.server.awake()
        told = receipt(self._release(order))
        held = {"task": told.task_id, "place": max(told.queue_position, 0)}
        return Ticket(id=json.dumps(held), check_after=CHECK_AFTER)

    def check(self, work: Work, ticket: Ticket) -> Running | Finished | Failed:
        try:
            held = json.loads(ticket.id)
            task, place = str(held["task"]), int(held["place"])
        except (ValueError, KeyError, TypeError):
            return UNKNOWN
        told = state(self.server.ask("/query_result", {"task_id_list": [task]}), task)
        if told.song is None:
            return BROKEN if told.status == FAILED else UNKNOWN
        if told.status == FAILED:
            return TOO_BIG if told.song.out_of_memory else BROKEN
        if told.status == SUCCEEDED:
            return self._finish(work, told.song)
        return UNKNOWN if self._dead(told.song) else _running(told.song, place)

    def cancel(self, ticket: Ticket) -> None:
        """The server has no call for it: the task is finished for nobody."""

    def _dead(self, song: Song) -> bool:
        """Of a task that died with it, a server that started anew repeats for an hour what it said last."""
        if song.create_time is None or self.clock().timestamp() - song.create_time < LONG:
            return False
        return idle(self.server.look("/v1/stats"))

    def _release(self, order: Asked) -> object:
        if order.recording is None or order.upload is None:
            return self.server.ask("/release_task", order.fields)
        wav = self._fetched(order.recording)
        if order.seconds is not None:
            wav = beginning(wav, order.seconds)
        # The name decides the suffix of the server's own file, and is no caller's.
        return self.server.send(
            "/release_task", _form(order.fields) | {order.upload: ("input.wav", wav, "audio/wav")}
        )

    def _fetched(self, recording: Input) -> bytes:
        """The recording that was made ready for this model, which our own bucket holds."""
        try:
            answer = self.http.request("GET", recording.url, redirect=False, retries=RETRIES, timeout=30.0)
        except urllib3.exceptions.HTTPError as error:
            raise StoreFault("input_unreachable", "The recording could not be read.") from error
        if answer.status != 200:
            raise StoreFault("input_refused", f"The recording could not be read ({answer.status}).")
        return answer.data

    def _finish(self, work: Work, song: Song) -> Finished | Failed:
        if not song.file:
            return NO_AUDIO
        path = audio_path(song.file, self.url)
        if path is None:
            return ELSEWHERE
        worked = song.worked_s
        cost = (work.piece.duration * self.expected_s if worked is None else worked) * self.usd_per_second
        try:
            audio = self.server.audio(path)
            if audio is None:
                return replace(GONE, cost_usd=cost)
            self.put(work.output_url, audio)
        except BackendError as error:
            error.cost_usd = cost  # it was computed all the same
            raise
        return Finished(cost, named(song.dit_model), _report(song))


def _form(fields: Mapping[str, object]) -> dict[str, object]:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in fields.items()
    }


def _running(song: Song, place: int) -> Running:
    if song.stage not in QUEUED:
        said = None if song.stage == BEGUN else named(song.stage)
        return Running(song.progress, said or MAKING, CHECK_AFTER)
    waiting = f"Waiting ({place} in the queue when it came)" if place else "Waiting"
    return Running(0.0, waiting, CHECK_AFTER)


def _report(song: Song) -> dict[str, float | str]:
    """The seed is among it: until its pull request 496 the server drew its own, whatever was asked."""
    said = {"language_model": named(song.lm_model), "seed": named(song.seed_value), "work_s": song.worked_s}
    return {name: value for name, value in said.items() if value is not None}
