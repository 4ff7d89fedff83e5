"""One stage's values, from the context of cdk.json and of `-c name=value`, validated before any use.

Knows every value that may differ between stages; nothing else in `infra` asks which stage it is building.
"""

from collections.abc import Callable
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from infra.hosting import HOST, Hosting, folded, names
from lambdas.core.addresses import may_be_public
from lambdas.core.models import CATALOGUE
from lambdas.settings import AceStep, Address, BreakerSettings, Chains, Mock, Replicate

Lookup = Callable[[str], object]
"""The app's context: name → value, None when absent."""

Target = Literal["lambda-arm64", "host"]
"""What a function's packages are installed for: Lambda's Python on Graviton, or the one running now."""

LogDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 180, 365]
"""The retentions, in days, that CloudWatch Logs accepts (a sensible part of them)."""

DEFAULT_STAGE = "dev"


def _listed(value: object) -> object:
    """A list, or its elements with commas between them, as `-c` can give them."""
    return [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value


def _none(value: object) -> object:
    """The word, as `-c` has no other way to say that there is no end."""
    return None if value == "none" else value


Budget = Annotated[Annotated[float, Field(ge=0)] | None, BeforeValidator(_none)]


class StageError(Exception):
    """The context names no such stage, or gives it an impossible value. The message is for the user."""


class Stage(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern="^[a-z][a-z0-9-]{0,15}$")
    target: Target
    retain: bool
    """Whether data outlives its stack. False also empties the buckets when the stack goes."""

    chains: Chains = Field(min_length=1)
    mock: Mock = "music"
    accepted_licences: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    """Licences of models that are not free for every use; chains may name such a model only if it is here."""
    container_url: Address | None = None
    """Where the model container answers, for chains that name the host `container`."""
    endpoint: Hosting | None = None
    """The SageMaker endpoint behind the host `sagemaker`; none, and no cost while idle, unless asked for."""
    acestep: AceStep | None = None
    """Where an ACE-Step server answers, for chains that name the host `acestep`."""
    replicate: Replicate | None = None
    """Which MusicGen at Replicate, for chains that name the host `replicate`."""
    audio_days: Literal[1, 30] = 1
    link_minutes: int = Field(60, ge=1, le=720)

    requests_per_second: int = Field(ge=1)
    request_burst: int = Field(ge=1)
    concurrent_jobs: int = Field(ge=2, le=1000)
    visibility_multiple: int = Field(ge=1, le=60)
    """A queue's visibility timeout in units of its function's timeout; AWS advises 6 in production."""
    redelivery_seconds: int = Field(5, ge=0, le=60)
    """Before a job's message whose handling broke is tried again the first time; it doubles from there."""
    deadline_minutes: int = Field(60, ge=5, le=24 * 60)
    """After which a job that is not ready has failed."""
    breaker: BreakerSettings = BreakerSettings()
    daily_budget_usd: Budget = None
    """Dollars of music a UTC day, after which only models that cost nothing are played; None is no end."""
    principal_daily_budget_usd: Budget = None
    """The same for each caller."""

    log_days: LogDays
    alarm_email: str | None = Field(None, pattern=r"^[^@\s]+@[^@\s]+$")
    latency_ms: int = Field(ge=1)
    queue_age_seconds: int = Field(ge=1)
    budget_usd: int = Field(ge=1)
    budget_scope: Literal["account", "stage"] = "account"
    """What the budget counts. `stage` needs `cadenza-stage` activated as a cost allocation tag first."""

    site_domain: str | None = None
    site_certificate: str | None = Field(None, pattern="^arn:")
    """A domain of one's own and its ACM certificate (in us-east-1, as CloudFront asks): both or neither."""

    @model_validator(mode="after")
    def _domain_needs_its_certificate(self) -> Self:
        if (self.site_domain is None) != (self.site_certificate is None):
            raise ValueError("site_domain and site_certificate come together")
        return self

    @model_validator(mode="after")
    def _chains_can_be_served(self) -> Self:
        for name, hosts in self.chains.items():
            model = CATALOGUE.get(name)
            if model is None:
                raise ValueError(f"chains names the model {name!r}; there are {', '.join(CATALOGUE)}")
            if not model.allowed_by(self.accepted_licences):
                raise ValueError(
                    f"{name} is {model.licence}, not for commercial use: if you accept that, add "
                    f'"{model.licence}" to the stage\'s accepted_licences'
                )
            if "container" in hosts and self.container_url is None:
                raise ValueError(f"chains gives {name} to the container: set container_url to its address")
            if "acestep" in hosts and self.acestep is None:
                raise ValueError(f"chains gives {name} to acestep: set acestep to its server's values")
            if "replicate" in hosts and self.replicate is None:
                raise ValueError(f"chains gives {name} to Replicate: set replicate to a version and hardware")
        return self

    @model_validator(mode="after")
    def _hosts_are_asked_in_private(self) -> Self:
        asked = {
            "container_url": self.container_url,
            "acestep.url": self.acestep.url if self.acestep else None,
            "replicate.base_url": self.replicate.base_url if self.replicate else None,
        }
        for name, url in asked.items():
            if url is not None and _readable_by_anybody(url):
                raise ValueError(
                    f"{name} is {url}: over plain http the whole way could read the credentials and the "
                    "presigned addresses that are sent there; use https, or an address of a private network"
                )
        return self

    @model_validator(mode="after")
    def _endpoint_hosts_its_model_alone(self) -> Self:
        for name in (name for name, hosts in self.chains.items() if HOST in hosts):
            if self.endpoint is None:
                raise ValueError(f"chains gives {name} to {HOST}: choose endpoint=serverless, gpu or async")
            if self.endpoint.model != name:
                raise ValueError(
                    f"chains gives {name} to {HOST}; its endpoint_model is {self.endpoint.model}"
                )
        return self

    @model_validator(mode="after")
    def _budgets_count_whatever_costs(self) -> Self:
        budgeted = self.daily_budget_usd is not None or self.principal_daily_budget_usd is not None
        if budgeted and self.endpoint is not None and self.endpoint.priced is None:
            raise ValueError(
                f"{self.endpoint.hardware} has no price in lambdas/core/prices.py, so a daily budget would "
                "count its music as free: add its price there, choose another endpoint_instance, or say "
                "daily_budget_usd=none and principal_daily_budget_usd=none"
            )
        return self

    @property
    def hardware(self) -> dict[str, str]:
        """What hosts run on, where that has a price."""
        named = {
            "replicate": self.replicate.hardware if self.replicate else None,
            "acestep": self.acestep.hardware if self.acestep else None,
            "sagemaker": self.endpoint.priced if self.endpoint else None,
        }
        return {host: hardware for host, hardware in named.items() if hardware is not None}

    @property
    def endpoint_name(self) -> str:
        """Fixed, so that who asks it needs nothing from the stack that makes it. An endpoint cannot be turned
        into one of another mode: that is another endpoint."""
        return f"cadenza-{self.name}-{self.endpoint.mode}" if self.endpoint else f"cadenza-{self.name}"

    @classmethod
    def from_context(cls, lookup: Lookup) -> Self:
        """The stage that `-c stage=…` names, any of its values overridden by `-c value=…` (or `MOCK`)."""
        stages, name = lookup("stages"), lookup("stage") or DEFAULT_STAGE
        if not isinstance(stages, dict):
            raise StageError(
                "no stages in the context: run `npx cdk`, or pass cdk.json's in CDK_CONTEXT_JSON"
            )
        if name not in stages:
            raise StageError(f"no stage {name!r} in cdk.json; it has {', '.join(stages)}")
        try:
            return cls.model_validate(folded({**stages[name], **_overrides(lookup), "name": name}))
        except ValidationError as error:
            raise StageError(f"stage {name!r}: {_explain(error)}") from None


def _readable_by_anybody(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and may_be_public(parts.hostname or "")


def _overrides(lookup: Lookup) -> dict[str, object]:
    values = {field: lookup(field) for field in (*Stage.model_fields, *names()) if field != "name"}
    values["mock"] = lookup("MOCK") or values["mock"]
    return {field: value for field, value in values.items() if value is not None}


def _explain(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, e['loc'])) or 'values'}: {e['msg'].removeprefix('Value error, ')}"
        for e in error.errors()
    )
