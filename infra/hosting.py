"""How a stage hosts a model on SageMaker: which model, in which mode, on what; validated before any use.

Knows SageMaker's limits and which hardware is which. Must not know stacks.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from lambdas.core.models import CATALOGUE
from lambdas.core.prices import PRICES
from lambdas.settings import HostingMode

HOST = "sagemaker"
PREFIX = "endpoint_"

PLAYED = tuple(name for name in CATALOGUE if name == "cascade" or name.startswith("musicgen-"))
"""What our container can play."""

FITS_SERVERLESS = ("musicgen-small", "musicgen-stereo-small", "cascade")
"""Serverless endpoints have no GPU, at most 6 GB of memory, and answer within 60 s."""

CPUS = (
    "t2", "m4", "m5", "m5d", "m6i", "m7i", "c4", "c5", "c5d", "c6i", "c6in", "c7i", "r5", "r5d", "r6i", "r7i"
)  # fmt: skip
GPUS = ("g4dn", "g5", "g6", "g6e", "g7", "g7e", "p4d", "p4de", "p5", "p5e", "p5en", "p6-b200", "p6-b300")
"""Families of what SageMaker has that our image runs on: x86-64, and of NVIDIA's GPUs those that CUDA 13
still knows (Turing and newer). Not Graviton or Grace, not Volta, not Inferentia, Trainium or Gaudi."""

SIZE = re.compile(r"medium|large|\d*xlarge")


def _runs_the_image(instance: str) -> str:
    service, _, rest = instance.partition(".")
    family, _, size = rest.partition(".")
    if service != "ml" or family not in CPUS + GPUS or not SIZE.fullmatch(size):
        raise ValueError(
            f"the image does not run on {instance!r}, but on ml.<family>.<size> of the families "
            f"{', '.join(CPUS)} and, with a GPU, {', '.join(GPUS)}"
        )
    return instance


Instance = Annotated[str, AfterValidator(_runs_the_image)]
ImageUri = Annotated[
    str,
    Field(
        pattern=r"^\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[a-z0-9._/-]+(:[\w.-]+|@sha256:[0-9a-f]{64})$"
    ),
]
ARCHIVE = ".tar.gz"
_NAME = r"[\w!.*'()-]+"
S3Uri = Annotated[
    str, Field(pattern=rf"^s3://[a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9]/({_NAME}/)*({_NAME}/|{_NAME}\{ARCHIVE})$")
]
"""A folder in a bucket, with the slash at its end: SageMaker takes what lies below it. Or one archive."""


class Hosting(BaseModel):
    """The stage's `endpoint` is the mode, and `endpoint_…` each of the others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: HostingMode
    model: str = "musicgen-small"
    instance: Instance = "ml.g5.xlarge"
    instances: int = Field(1, ge=1, le=100)
    """`gpu`: how many run. `async`: how many may run at most; none does while there is nothing to do."""
    memory_mb: int = Field(6144, ge=1024, le=6144, multiple_of=1024)
    """`serverless` alone; CPU time comes in proportion to it."""
    concurrency: int = Field(4, ge=1, le=200)
    """Songs at a time: of all in `serverless`, of each instance in `async`."""
    image: ImageUri | None = None
    """In ECR. None builds model_container/Dockerfile at deployment, which takes a Docker engine."""
    weights: S3Uri | None = None
    """A packed folder in a bucket of one's own, for `serverless` its archive. None makes a bucket, named by
    the output WeightsBucketName."""

    @model_validator(mode="after")
    def _model_can_be_hosted(self) -> Self:
        if self.model not in PLAYED:
            raise ValueError(f"endpoint_model is {self.model!r}; an endpoint can host {', '.join(PLAYED)}")
        if self.mode == "serverless" and self.model not in FITS_SERVERLESS:
            raise ValueError(
                f"{self.model} does not fit a serverless endpoint: no GPU, at most 6144 MB, 60 s for an "
                f"answer. Host {', '.join(FITS_SERVERLESS)}, or choose gpu or async; for these, new accounts "
                f"have no quota until they ask AWS for it"
            )
        return self

    @model_validator(mode="after")
    def _weights_are_what_the_mode_takes(self) -> Self:
        if self.weights is not None and self.weights.endswith(ARCHIVE) != (self.mode == "serverless"):
            raise ValueError(
                f"endpoint_weights is {self.weights}: serverless takes an archive, s3://…/….tar.gz, gpu and "
                f"async a folder, s3://…/; model_container.publish makes what its address says"
            )
        return self

    @property
    def weights_path(self) -> str:
        """Of the model in the stage's own bucket."""
        return f"{self.model}{ARCHIVE if self.mode == 'serverless' else '/'}"

    @property
    def cuda(self) -> bool:
        return self.mode != "serverless" and self.instance.split(".")[1] in GPUS

    @property
    def priced(self) -> str | None:
        return self.hardware if self.hardware in PRICES[HOST] else None

    @property
    def hardware(self) -> str:
        """Its name in the table of prices."""
        return f"serverless-{self.memory_mb // 1024}gb" if self.mode == "serverless" else self.instance


def names() -> list[str]:
    """The values of a stage's context that say how it hosts."""
    return ["endpoint", *(PREFIX + field for field in Hosting.model_fields if field != "mode")]


def folded(values: Mapping[str, object]) -> dict[str, object]:
    """A stage's values with those about the endpoint as one, or none where no mode is chosen; its model is
    offered first, unless the chains say themselves who is served by it."""
    said = {name: values[name] for name in names() if values.get(name) is not None}
    others = {name: value for name, value in values.items() if name not in names()}
    mode = said.pop("endpoint", None)
    if not mode:
        return others
    hosting: dict[str, object] = {name.removeprefix(PREFIX): value for name, value in said.items()}
    model = str(hosting.get("model", Hosting.model_fields["model"].default))
    return {**others, "endpoint": {"mode": mode, **hosting}, "chains": _in_front(others.get("chains"), model)}


def _in_front(chains: object, model: str) -> object:
    if not isinstance(chains, dict) or any(HOST in hosts for hosts in chains.values()):
        return chains
    others = [host for host in chains.get(model, ()) if host != "mock"]
    return {model: [HOST, *others], **{name: hosts for name, hosts in chains.items() if name != model}}
