"""A real model on this machine: the container's server behind the emulated SageMaker's endpoint.

Knows the stage's values that make an endpoint. Must not know how a checkpoint is packed or served.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local import ACCOUNT, REGION
from local.checkpoints import CASCADE, Checkpoint

MODES = ("gpu", "async", "serverless")
LICENCE = "CC-BY-NC-4.0"  # of every published MusicGen
ANY_ENDPOINT = "*"
OWN_MACHINE = "ml.m5.large"  # one of those that our table has no price of: a laptop's songs cost nothing


@dataclass(frozen=True)
class Hosting:
    """mode: one of MODES; what a stage calls its endpoint. In `gpu` a song can be stopped."""

    checkpoint: Checkpoint
    mode: str = "gpu"

    @property
    def licence(self) -> str | None:
        """What the person who runs it accepts; a model of their own has whatever licence they gave it."""
        return None if self.checkpoint.model == CASCADE else LICENCE

    def context(self) -> dict[str, Any]:
        """The stage's values, as `npx cdk deploy -c` would be given them."""
        return {
            "endpoint": self.mode,
            "endpoint_model": self.checkpoint.model,
            "endpoint_instance": OWN_MACHINE,
            # No image is built where no container is run.
            "endpoint_image": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/cadenza:local",
            "accepted_licences": [self.licence] if self.licence else [],
        }

    def containers(self, address: str) -> Mapping[str, str]:
        return {ANY_ENDPOINT: address}
