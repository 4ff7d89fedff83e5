"""The stacks of one stage and how they lean on each other."""

from aws_cdk import App, Tags, Validations
from cdk_nag import AwsSolutionsChecks

from infra.data import Data
from infra.inference import Inference
from infra.service import Service
from infra.stage import Stage
from infra.watch import Watch
from infra.web import Web


def compose(app: App) -> Stage:
    """Add the stage's stacks to the app. Raises StageError or BundleError, one line each for the user."""
    stage = Stage.from_context(app.node.try_get_context)
    name = f"Cadenza-{stage.name}"
    data = Data(app, f"{name}-Data", stage=stage)
    service = Service(app, f"{name}-Service", stage=stage, data=data)
    Web(app, f"{name}-Web", stage=stage, data=data, service=service)
    if stage.endpoint is not None:
        Inference(app, f"{name}-Inference", stage=stage, hosting=stage.endpoint, data=data, service=service)
    Watch(app, f"{name}-Watch", stage=stage, service=service)
    Tags.of(app).add("cadenza-stage", stage.name)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return stage
