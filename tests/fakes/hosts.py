"""A music model's host, a mastering desk and a webhook's receiver, in memory. Each remembers its calls."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from lambdas.core.errors import UnusableAudio
from lambdas.core.pieces import Ticket
from lambdas.core.ports import Cut, Failed, Finished, Input, Prepared, Running, Stretch, Work
from lambdas.core.recordings import Format, Label, Measurement, Recording

Answer = Running | Finished | Failed
MEASUREMENT = Measurement(30.0, 44_100, 2, -14.0, -1.2)


@dataclass
class MemoryHost:
    """Implements ports.Backend.

    Starts end in `refusals`, one after the other, then succeed. Checks are answered by `answers`,
    the last of them for ever. The audio is put where the work says when the work starts.
    """

    put: Callable[[str, bytes], object]
    name: str = "host"
    refusals: Sequence[Exception] = ()
    answers: Sequence[Answer | Exception] = (Finished(cost_usd=0.5),)
    check_after: float = 0.0
    audio: bytes | None = b"raw"
    longest: float = 300.0
    listen: Callable[[Input], object] = lambda given: None
    works: list[Work] = field(default_factory=list)
    starts: Counter[str] = field(default_factory=Counter)  # by work id
    checks: Counter[str] = field(default_factory=Counter)  # by ticket id
    tickets: list[str] = field(default_factory=list)
    charged: dict[str, set[float]] = field(default_factory=dict)  # by work id: whatever it said of its cost
    canceled: list[str] = field(default_factory=list)  # ticket ids
    cost_of_canceled: float | None = None

    def start(self, work: Work) -> Ticket:
        self.starts[work.id] += 1
        self.works.append(work)
        if self.starts.total() <= len(self.refusals):
            refusal = self.refusals[self.starts.total() - 1]
            self._say(work.id, getattr(refusal, "cost_usd", None))
            raise refusal
        for given in work.inputs:
            self.listen(given)
        if self.audio is not None:
            self.put(work.output_url, self.audio + work.id.encode())
        self.tickets.append(f"{self.name}:{work.id}")
        return Ticket(id=self.tickets[-1], check_after=self.check_after)

    def check(self, work: Work, ticket: Ticket) -> Answer:
        answer = self.answers[min(self.checks.total(), len(self.answers) - 1)]
        self.checks[ticket.id] += 1
        self._say(work.id, getattr(answer, "cost_usd", None))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def cancel(self, ticket: Ticket) -> float | None:
        self.canceled.append(ticket.id)
        self._say(ticket.id.partition(":")[2], self.cost_of_canceled)
        return self.cost_of_canceled

    def _say(self, work_id: str, cost_usd: float | None) -> None:
        if cost_usd is not None:
            self.charged.setdefault(work_id, set()).add(cost_usd)


@dataclass
class MemoryMastering:
    """Implements ports.Mastering. No two masters are alike, as with signed files, unless `alike`."""

    masters: int = 0
    alike: bool = False

    def master(self, raw: bytes, label: Label) -> Recording:
        if raw.startswith(b"noise"):
            raise UnusableAudio("This is not a song.")
        self.masters += 1
        stamp = b"same" if self.alike else sha256(f"{self.masters}".encode()).digest()[:4]
        files = {format: b"|".join((format.encode(), label.title.encode(), raw, stamp)) for format in Format}
        return Recording(files, b"[0,1]" + stamp, MEASUREMENT, frozenset({Format.WAV}))


@dataclass
class MemoryJoining:
    """Implements ports.Joining. A segment is as long as it was to be, but for what begins with `short`."""

    def seconds(self, raw: bytes) -> float:
        if raw.startswith(b"noise"):
            raise UnusableAudio("This is not a song.")
        return 0.0 if raw.startswith(b"short") else 300.0

    def join(self, stretches: Sequence[Stretch]) -> bytes:
        return b"+".join(b"%g-%g:" % (each.start, each.end) + each.raw for each in stretches)


@dataclass
class MemoryPreparing:
    """Implements ports.Preparing. A recording that begins with `noise` is none."""

    def prepare(self, raw: bytes, cut: Cut) -> Prepared:
        if raw.startswith(b"noise"):
            raise UnusableAudio("This is not a recording.")
        return Prepared(b"ready:" + raw, cut.longest)


@dataclass
class MemoryCourier:
    """Implements ports.Courier. Posts are answered by `answers`, the last of them for ever."""

    answers: Sequence[int | Exception] = (200,)
    posts: list[tuple[str, bytes, Mapping[str, str]]] = field(default_factory=list)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        answer = self.answers[min(len(self.posts), len(self.answers) - 1)]
        self.posts.append((url, body, dict(headers)))
        if isinstance(answer, Exception):
            raise answer
        return answer
