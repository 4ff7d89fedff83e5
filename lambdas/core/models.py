"""The catalogue: what each music model can do, within which limits, under which licence."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from types import MappingProxyType

from lambdas.core.paces import longest, pace
from lambdas.core.pieces import Role
from lambdas.core.prices import rate
from lambdas.core.segments import overlap, planned

OWN = "operator"
"""The licence of a model of which no weights are published: who deploys it trained it, and answers for it."""


@dataclass(frozen=True, slots=True)
class Span:
    """An inclusive range of numbers."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Intake:
    """How a model takes a recording. `unheeded` are the model's options that have no effect beside it."""

    rate: int  # Hz
    channels: int
    longest: float  # seconds
    unheeded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a model is expected to cost on one host."""

    usd_per_second: float = 0.0  # of the audio that it makes
    at_once: float = inf  # seconds of audio; of longer pieces it makes some seconds twice


@dataclass(frozen=True, slots=True)
class Model:
    """One music model. `options` are the request's optional fields that it understands, with their ranges;
    `inputs` the recordings it takes, by their role: two of the role `track`, or one of the others."""

    id: str
    title: str
    revision: str
    tasks: tuple[str, ...]
    duration: Span  # seconds
    sample_rate: int  # Hz
    channels: int
    licence: str
    commercial_use: bool
    work_per_second: float  # expected seconds of computing per second of audio, on the first host
    mock: bool = False
    options: Mapping[str, Span | None] = field(default_factory=lambda: MappingProxyType({}))
    inputs: Mapping[Role, Intake] = field(default_factory=lambda: MappingProxyType({}))
    tariffs: Mapping[str, Tariff] = field(
        default_factory=lambda: MappingProxyType({})
    )  # in the chain's order

    @property
    def usd_per_second(self) -> float:
        """Of audio, on the first host, of pieces that it makes at once."""
        return next((tariff.usd_per_second for tariff in self.tariffs.values()), 0.0)

    def estimate(self, seconds: float) -> tuple[float, float]:
        """Dollars that a piece is expected to cost on the first host, and on the dearest of the chain."""
        heard = self.inputs["continue"].longest if "continue" in self.inputs else 0.0
        made = [
            self.work_usd(host, planned(seconds, tariff.at_once, overlap(tariff.at_once, heard)))
            for host, tariff in self.tariffs.items()
        ]
        return (made[0], max(made)) if made else (0.0, 0.0)

    def work_usd(self, host: str, seconds: float) -> float:
        """Dollars that one work is expected to cost, which makes so many seconds of audio on a host."""
        return round(self.tariffs.get(host, Tariff()).usd_per_second * seconds, 6)

    def allowed_by(self, accepted_licences: Collection[str]) -> bool:
        """Whoever deploys a model that is not free for every use must have said that they accept it: but for
        one of their own."""
        return self.commercial_use or self.licence in {OWN, *accepted_licences}


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
    mock=True,
    options=MappingProxyType({"bpm": Span(40, 240), "key": None, "instrumental": None}),
)

SAMPLING = MappingProxyType(
    {"temperature": Span(0, 10), "top_k": Span(0, 2048), "top_p": Span(0.01, 1), "guidance": Span(1, 20)}
)


CASCADE = Model(
    id="cascade",
    title="Two-track cascade: blends sixteen seconds of two songs",
    revision="1",
    tasks=("two-track",),
    duration=Span(1, 16),
    sample_rate=24_000,
    channels=1,
    licence=OWN,
    commercial_use=False,  # not ours to promise: it speaks through EnCodec's weights, which have no licence
    work_per_second=0.1,
    inputs=MappingProxyType({"track": Intake(24_000, 1, 16.0)}),
)


def _musicgen(size: str, revision: str, channels: int, work: float) -> Model:
    """A published MusicGen checkpoint. Longer pieces than its 30 s are made in windows.

    work: seconds of computing per second of audio: small on two CPU cores, the others on a small GPU.
    """
    inputs: dict[Role, Intake] = {"continue": Intake(32_000, channels, 20.0)}
    if "melody" in size:
        inputs["melody"] = Intake(32_000, 1, 30.0)
    return Model(
        id=f"musicgen-{size}",
        title=f"MusicGen {size}",
        revision=revision,
        tasks=("text-to-music", *sorted(inputs)),
        duration=Span(1, 300),
        sample_rate=32_000,
        channels=channels,
        licence="CC-BY-NC-4.0",
        commercial_use=False,
        work_per_second=work,
        options=SAMPLING,
        inputs=MappingProxyType(inputs),
    )


MUSICGEN = (
    _musicgen("small", "4c8334b02c6ec4e8664a91979669a501ec497792", 1, 0.8),
    _musicgen("medium", "main", 1, 0.4),
    _musicgen("large", "main", 1, 0.8),
    _musicgen("melody", "main", 1, 0.4),
    _musicgen("melody-large", "main", 1, 0.8),
    _musicgen("stereo-small", "main", 2, 0.8),
    _musicgen("stereo-medium", "main", 2, 0.4),
    _musicgen("stereo-large", "main", 2, 0.8),
    _musicgen("stereo-melody", "main", 2, 0.4),
    _musicgen("stereo-melody-large", "main", 2, 0.8),
)

# Its language model heeds these, which plans a song; covers and extensions are made without it.
PLANNING = ("negative_prompt", "temperature", "top_k", "top_p")

ACE_STEP = Model(
    id="ace-step-1.5",
    title="ACE-Step 1.5: songs with lyrics",
    revision="19671f406d603126926c1b7e2adc169acbcade22",  # of ACE-Step/Ace-Step1.5 on the Hugging Face hub
    tasks=("text-to-music", "continue", "melody", "reference"),
    duration=Span(10, 300),
    sample_rate=48_000,
    channels=2,
    licence="MIT",
    commercial_use=True,
    work_per_second=0.2,
    # No guidance: the turbo model that it is served with has it distilled in, and heeds none.
    options=MappingProxyType(
        {
            "lyrics": None,
            "negative_prompt": None,
            "bpm": Span(30, 300),
            "key": None,
            "instrumental": None,
            "temperature": Span(0, 2),
            "top_k": Span(0, 2048),
            "top_p": Span(0.01, 0.99),
        }
    ),
    inputs=MappingProxyType(
        {
            "continue": Intake(48_000, 2, 20.0, PLANNING),
            "melody": Intake(48_000, 2, 300.0, PLANNING),
            "reference": Intake(48_000, 2, 60.0),
        }
    ),
)

CATALOGUE: Mapping[str, Model] = MappingProxyType(
    {model.id: model for model in (MOCK, CASCADE, *MUSICGEN, ACE_STEP)}
)


def offered(
    chains: Mapping[str, Sequence[str]], hardware: Mapping[str, str] | None = None
) -> dict[str, Model]:
    """The models of a deployment, its default first, with what they cost on its hosts' hardware.

    A model that only the mock plays is a mock, and says so; recordings it can blend and nothing else.
    Raises KeyError for a model that nobody wrote, and for hardware without a price.
    """
    return {
        model_id: _priced(_as_served(CATALOGUE[model_id], tuple(hosts)), hosts, hardware or {})
        for model_id, hosts in chains.items()
    }


def _priced(model: Model, hosts: Sequence[str], hardware: Mapping[str, str]) -> Model:
    tariffs = {host: _tariff(model, host, hardware) for host in hosts}
    work = pace(model.id, hosts[0], hardware[hosts[0]]) if hosts[0] in hardware else model.work_per_second
    return replace(model, work_per_second=work, tariffs=MappingProxyType(tariffs))


def _tariff(model: Model, host: str, hardware: Mapping[str, str]) -> Tariff:
    at_once = longest(model.id, host, hardware.get(host))
    if host not in hardware:
        return Tariff(at_once=at_once)
    return Tariff(rate(host, hardware) * pace(model.id, host, hardware[host]), at_once)


def _as_served(model: Model, hosts: tuple[str, ...]) -> Model:
    if model.mock or hosts != ("mock",):
        return model
    return replace(
        model,
        mock=True,
        title=f"{model.title} (mock)",
        licence=MOCK.licence,
        commercial_use=True,
        inputs=MappingProxyType({role: each for role, each in model.inputs.items() if role == "track"}),
    )
