"""Application Auto Scaling's targets and policies for endpoints: checked, and otherwise without effect.

A laptop has one instance of everything. What can be wrong in a template is found here all the same.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from local import ACCOUNT, REGION
from local.sagemaker.endpoints import Endpoints, Made
from local.sagemaker.models import Rejected

POLICIES = {
    "TargetTrackingScaling": "TargetTrackingScalingPolicyConfiguration",
    "StepScaling": "StepScalingPolicyConfiguration",
}
DIMENSION = "sagemaker:variant:DesiredInstanceCount"


class Scaling:
    """Raises Rejected for what Application Auto Scaling would not take."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints

    def make_target(self, properties: Mapping[str, Any]) -> Made:
        resource, dimension = properties["ResourceId"], properties["ScalableDimension"]
        kind, _, rest = resource.partition("/")
        name, _, variant = rest.partition("/variant/")
        endpoint = self._endpoints.find(name)
        if (kind, dimension, properties["ServiceNamespace"]) != ("endpoint", DIMENSION, "sagemaker"):
            raise Rejected(f"The stand-in scales endpoints by {DIMENSION}, not {resource} by {dimension}.")
        if endpoint is None or endpoint.variant != variant:
            raise Rejected(f"No endpoint has the variant {resource}.")
        if endpoint.serverless is not None:
            raise Rejected(f"{resource} is serverless: it has no instances to scale.")
        least, most = int(properties["MinCapacity"]), int(properties["MaxCapacity"])
        if not 0 <= least <= most or (least == 0 and endpoint.asynchronous is None):
            raise Rejected(f"{resource} cannot scale from {least} to {most} instances.")
        identifier = f"{resource}|{dimension}|sagemaker"
        return identifier, {"Id": identifier}

    def make_policy(self, properties: Mapping[str, Any]) -> Made:
        name, kind = properties["PolicyName"], properties.get("PolicyType", "StepScaling")
        if kind not in POLICIES or not properties.get(POLICIES[kind]):
            raise Rejected(f"Scaling policy {name}: {kind} without its configuration.")
        target = properties.get("ScalingTargetId") or properties.get("ResourceId")
        if not target:
            raise Rejected(f"Scaling policy {name} names no target.")
        resource = str(target).partition("|")[0]
        identifier = (
            f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:scalingPolicy:{uuid.uuid4()}"
            f":resource/sagemaker/{resource}:policyName/{name}"
        )
        return identifier, {"Arn": identifier, "PolicyName": name}
