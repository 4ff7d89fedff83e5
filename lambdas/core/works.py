"""What passes between the domain and a model's host: work one way, how it stands the other. Pure values."""

from collections.abc import Mapping
from dataclasses import dataclass

from lambdas.core.pieces import Piece, Role


@dataclass(frozen=True, slots=True)
class Input:
    """A recording that a piece is made from, ready for a model: 16-bit PCM WAV behind a presigned address."""

    role: Role
    url: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """One attempt at a piece, or at a segment of one. Carries presigned addresses, so a backend needs no
    right of its own; they are made anew at each step, as they die with their signer's session.

    `piece.duration` is what the host is to put at the output address, in seconds. Where an input has the role
    `continue` that includes the input: the output begins with it, as the host renders it, and goes on from
    its end. A host that gives more is cut; what is cut lies at the end.
    """

    id: str  # unique per attempt: the backend's idempotency key
    attempt: int
    piece: Piece
    output_url: str  # PUT the raw audio here
    progress_url: str  # PUT the state here (docs/wire.md), where the host can
    progress_link: str  # GET it
    inputs: tuple[Input, ...] = ()


@dataclass(frozen=True, slots=True)
class Running:
    progress: float  # 0–1, of making the whole piece
    message: str = "Making music"
    check_after: float = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class Finished:
    """The raw audio lies at the work's output address."""

    cost_usd: float | None = 0.0  # None where the host does not say
    revision: str | None = None  # what made it, where that is not the model's own published revision
    report: Mapping[str, float | str] | None = None  # what the model says of its result


@dataclass(frozen=True, slots=True)
class Failed:
    code: str
    detail: str
    transient: bool
    elsewhere: bool = False  # not here, but perhaps on the next host of the chain
    cost_usd: float | None = None  # what the failure cost all the same, where the host says so
