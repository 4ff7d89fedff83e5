"""What each function must be told, as validated types. The only reader and writer of its environment.

The stacks build these values and write them with `to_env`; a function reads them back with `from_env`,
once, at cold start. Nothing secret is here: secrets travel by name.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

VERSION = "0.1.0"
VARIABLE = "CADENZA_SETTINGS"

Chains = dict[str, tuple[str, ...]]
"""Model id → the backends that can serve it, in the order they are tried. The first model is the default."""

Mock = Literal["music", "silence"]

HostingMode = Literal["serverless", "gpu", "async"]
"""How SageMaker hosts: paid by the second on CPUs; instances that stay up; instances that come and go."""

Address = Annotated[str, Field(pattern=r"^https?://[^/@?#\s]+(/[^?#\s]*)?$")]
"""A plain address: credentials have no place in the environment."""


ModalHardware = Literal["t4", "l4", "l40s", "a100-80gb", "h100"]
"""What a Modal function may be given; a second of each has a price."""


class AceStep(BaseModel):
    """An ACE-Step server: where it answers, on what it runs and what it can do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Address
    hardware: ModalHardware | None = None
    """What Modal bills its seconds by; None is a machine whose songs cost nothing by themselves."""
    planning: bool = True
    """Whether it has its language model; without it songs are plainer, and some options are refused."""


class AceStepSettings(AceStep):
    credentials_secret: str
    """By name: JSON with any of `api_key`, `modal_key` and `modal_secret`."""


ENDPOINT_REQUESTS = "raw/endpoint-requests"
"""Where SageMaker reads asynchronous requests. Below `raw/`, where nothing lives for long."""


class SageMakerSettings(BaseModel):
    """The endpoint that the host `sagemaker` is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str
    mode: HostingMode
    model: str
    hardware: str
    """What it runs on, in the words of the table of prices."""


ReplicateHardware = Literal["t4", "l40s", "a100-80gb", "h100"]
"""What Replicate runs models on; a second of each has a price."""


class Replicate(BaseModel):
    """MusicGen at Replicate: which version of meta/musicgen, on what, and how long a prediction may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    hardware: ReplicateHardware
    """As the model's page at Replicate says; it only decides what its seconds are said to cost."""
    cancel_after: Annotated[int, Field(ge=30, le=1800)] = 900
    """Seconds after which a prediction ends by itself, whether or not anybody still waits for it."""
    base_url: Address = "https://api.replicate.com/v1"


class ReplicateSettings(Replicate):
    token_secret: str
    """By name: the API token, as plain text."""
    webhook_url: Address | None = None
    """Where Replicate tells of a prediction's end; None leaves it at asking."""


class Settings(BaseModel):
    """What every function knows. One JSON object in one variable; names and URLs need no escaping in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    jobs_table: str

    def to_env(self) -> dict[str, str]:
        return {VARIABLE: self.model_dump_json()}

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Raises KeyError when the variable is absent, ValidationError naming what is wrong in it."""
        return cls.model_validate_json(env[VARIABLE])


class BreakerSettings(BaseModel):
    """When a host that fails is left alone, and for how long."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    failures: int = Field(5, ge=1, le=1000)
    within_seconds: float = Field(60, gt=0, le=3600)
    rest_seconds: float = Field(30, gt=0, le=3600)
    """After the first opening; each further one doubles it."""
    longest_rest_seconds: float = Field(120, gt=0, le=24 * 3600)


class ChainSettings(Settings):
    """What who takes music on and who has it made both know."""

    ledger_table: str
    audio_bucket: str
    jobs_queue_url: str
    chains: Chains
    breaker: BreakerSettings = BreakerSettings()
    hardware: dict[str, str] = {}
    """Of hosts that cost something: what they run on, in the words of the table of prices."""
    daily_budget_usd: float | None = None
    principal_daily_budget_usd: float | None = None


class ApiSettings(ChainSettings):
    accepted_licences: tuple[str, ...] = ()
    retention_days: int = 1
    link_minutes: int = 60
    deadline_minutes: int = 60
    replicate_webhook_secret: str | None = None


class ConductorSettings(ChainSettings):
    deliveries_queue_url: str
    provenance_secret: str
    mock: Mock = "music"
    container_url: Address | None = None
    acestep: AceStepSettings | None = None
    replicate: ReplicateSettings | None = None
    sagemaker: SageMakerSettings | None = None
    lease_seconds: int = 150
    redelivery_seconds: int = 5


class CourierSettings(Settings):
    audio_bucket: str
    deliveries_queue_url: str
    webhook_secret: str
    link_minutes: int = 60


class JanitorSettings(Settings):
    jobs_queue_url: str
    dead_letter_queue_url: str
