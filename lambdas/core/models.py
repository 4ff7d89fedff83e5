"""The catalogue: what each music model can do, within which limits, under which licence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Span:
    """An inclusive range of numbers."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Model:
    """One music model. `options` are the request's optional fields that it understands, with their ranges."""

    id: str
    title: str
    revision: str
    tasks: tuple[str, ...]
    duration: Span  # seconds
    sample_rate: int  # Hz
    channels: int
    licence: str
    commercial_use: bool
    work_per_second: float  # expected seconds of computing per second of audio
    usd_per_second: float  # estimated dollars per second of audio
    mock: bool = False
    options: Mapping[str, Span | None] = field(default_factory=lambda: MappingProxyType({}))


MOCK = Model(
    id="mock",
    title="Mock composer: plays by rule, needs no weights",
    revision="1",
    tasks=("text-to-music",),
    duration=Span(1, 300),
    sample_rate=44_100,
    channels=2,
    licence="CC0-1.0",
    commercial_use=True,
    work_per_second=0.03,
    usd_per_second=0.0,
    mock=True,
    options=MappingProxyType({"bpm": Span(40, 240), "key": None, "instrumental": None}),
)

CATALOGUE: Mapping[str, Model] = MappingProxyType({model.id: model for model in (MOCK,)})


def offered(chains: Mapping[str, Sequence[str]]) -> dict[str, Model]:
    """The models of a deployment, its default first. Raises KeyError for a model that nobody wrote."""
    return {model_id: CATALOGUE[model_id] for model_id in chains}
