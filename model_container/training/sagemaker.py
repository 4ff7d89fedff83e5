"""A described job in the words of the SageMaker SDK. The only file that imports it."""

import os
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from sagemaker.core import image_uris
from sagemaker.core.helper.iam_role_resolver import RoleValidationError
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.training.configs import (
    CheckpointConfig,
    Compute,
    InputData,
    SourceCode,
    StoppingCondition,
)
from sagemaker.train import ModelTrainer

from model_container.training.recipe import TrainingError
from model_container.training.remote import CHECKPOINTS, FRAMEWORK, REQUIREMENTS, Job, Machine

NAME = "cadenza-cascade"


# Its own check of the role asks for rights that a job outside a VPC never uses, and refuses roles without.
UNCHECKED = ("SAGEMAKER_VALIDATE_ROLE", "false")
QUIET = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}


def start(machine: Machine, job: Job, source: Path) -> str:
    """Submit the job and return its name; nobody waits for it. Raises TrainingError."""
    os.environ.setdefault(*UNCHECKED)
    bucket, prefix = job.staging()
    try:
        # The SDK would make a bucket of its own for our code; the results' bucket is there.
        session = Session(default_bucket=bucket, default_bucket_prefix=prefix, sagemaker_config=QUIET)
        made = trainer(machine, job, source, session)
        made.train(wait=False, logs=False)
    except (BotoCoreError, ClientError, RoleValidationError, ValueError) as error:
        raise TrainingError(f"SageMaker does not take the job: {error}") from error
    return str(made._latest_training_job.training_job_name)


def trainer(machine: Machine, job: Job, source: Path, session: Any) -> ModelTrainer:
    channels = [InputData(channel_name=name, data_source=place) for name, place in job.channels.items()]
    return ModelTrainer(
        sagemaker_session=session,
        role=machine.role,
        base_job_name=NAME,
        training_image=machine.image or _image(machine.instance, session),
        source_code=SourceCode(
            source_dir=str(source),
            requirements=REQUIREMENTS,
            command=job.command,
            args=list(job.arguments),
        ),
        compute=Compute(
            instance_type=machine.instance, instance_count=1, enable_managed_spot_training=machine.spot
        ),
        stopping_condition=_limits(machine),
        input_data_config=channels,
        checkpoint_config=CheckpointConfig(s3_uri=job.results, local_path=CHECKPOINTS),
    )


def _limits(machine: Machine) -> StoppingCondition:
    seconds = round(machine.hours * 3600)
    waiting = {"max_wait_time_in_seconds": 2 * seconds} if machine.spot else {}  # counts the running too
    return StoppingCondition(max_runtime_in_seconds=seconds, **waiting)


def _image(instance: str, session: Any) -> str:
    version, python = FRAMEWORK
    image: str = image_uris.retrieve(
        "pytorch",
        session.boto_region_name,
        version=version,
        py_version=python,
        instance_type=instance,
        image_scope="training",
        sagemaker_session=session,
    )
    return image
