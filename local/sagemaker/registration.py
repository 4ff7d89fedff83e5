"""Makes SageMaker one more service of the emulator, and its resources known to CloudFormation.

Private points of the emulator that this leans on (pinned, held by tests/local/test_sagemaker_standin.py):
`SERVICE_HANDLERS`, `_loaded_modules`, `_state_map` and `_enforce_data_plane` in `ministack.app`,
`SERVICE_PATTERNS` in `ministack.core.router`, `execution_credentials` in `ministack.core.lambda_runtime`,
`_RESOURCE_HANDLERS` in `ministack.services.cloudformation.provisioners`.
"""

import functools
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from ministack import app as emulator
from ministack.core import lambda_runtime, router
from ministack.services.cloudformation import provisioners

from local import ACCOUNT, REGION
from local.sagemaker.account import Account
from local.sagemaker.answers import Answer
from local.sagemaker.endpoints import Kind, Made
from local.sagemaker.models import Properties
from local.sagemaker.scaling import Scaling
from local.sagemaker.service import TARGET, SageMaker

NAME = "sagemaker"
CONTAINERS = "CADENZA_CONTAINERS"
"""The environment variable of the containers' addresses: JSON, by patterns of endpoint names."""

Handlers = dict[str, Callable[..., Any]]


def register(environment: Mapping[str, str]) -> SageMaker:
    """The service, in place before the emulator reads its state."""

    @functools.cache
    def account(role: str) -> Account:
        return Account(environment["AWS_ENDPOINT_URL"], _credentials(role))

    service = SageMaker(account, json.loads(environment.get(CONTAINERS, "{}")), _authorize)
    # Without this, every service that botocore knows would be read once to find that this is one.
    router.SERVICE_PATTERNS[NAME] = {"target_prefixes": [TARGET]}
    emulator.SERVICE_HANDLERS[NAME] = service.handle_request
    emulator._loaded_modules[NAME] = service
    emulator._state_map[NAME] = NAME
    provisioners._RESOURCE_HANDLERS.update(_resources(service))
    return service


def _credentials(role: str) -> dict[str, str]:
    """The emulator lends roles to functions alone, so SageMaker is one."""
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}"
    lent: dict[str, str] = lambda_runtime.execution_credentials(
        {"FunctionArn": function, "FunctionName": NAME, "Role": role}
    )
    return lent


def _authorize(
    action: str, resource: str, headers: Mapping[str, str], query: Mapping[str, Any]
) -> Answer | None:
    request = str(uuid.uuid4())
    refused: Answer | None = emulator._enforce_data_plane(
        NAME, action, headers, query, request, resource_arn=resource
    )
    return refused


def _resources(service: SageMaker) -> dict[str, Handlers]:
    endpoints, scaling = service.endpoints, Scaling(service.endpoints)
    return {
        "AWS::SageMaker::Model": _immutable("model", endpoints.make_model, endpoints.forget),
        "AWS::SageMaker::EndpointConfig": _immutable(
            "endpoint-config", endpoints.make_config, endpoints.forget
        ),
        "AWS::SageMaker::Endpoint": {
            "create": lambda logical_id, properties, _stack: endpoints.make_endpoint(logical_id, properties),
            "update": lambda made, _old, properties, _stack, logical_id: endpoints.change_endpoint(
                logical_id, made, properties
            ),
            "update_with_logical_id": bool,
            "delete": lambda made, _properties: endpoints.forget("endpoint", made),
        },
        "AWS::ApplicationAutoScaling::ScalableTarget": _remembered_by_its_stack(scaling.make_target),
        "AWS::ApplicationAutoScaling::ScalingPolicy": _remembered_by_its_stack(scaling.make_policy),
    }


def _immutable(
    kind: Kind, make: Callable[[str, Properties], Made], forget: Callable[[Kind, str], None]
) -> Handlers:
    """Every change makes another one, under another name unless the template gives it one."""

    def replace(made: str, _old: Properties, properties: Properties, _stack: str, logical_id: str) -> Made:
        another = make(logical_id, properties)
        if another[0] != made:
            forget(kind, made)
        return another

    return {
        "create": lambda logical_id, properties, _stack: make(logical_id, properties),
        "update": replace,
        "update_with_logical_id": bool,
        "delete": lambda made, _properties: forget(kind, made),
    }


def _remembered_by_its_stack(make: Callable[[Properties], Made]) -> Handlers:
    return {
        "create": lambda _logical_id, properties, _stack: make(properties),
        "update": lambda _made, _old, properties, _stack: make(properties),
        "delete": lambda _made, _properties: None,
    }
