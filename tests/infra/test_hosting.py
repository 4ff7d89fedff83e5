"""Which of SageMaker's instances our image runs on."""

from typing import Any

import botocore.session
import pytest
from pydantic import ValidationError

from infra.hosting import CPUS, GPUS, Hosting

ARM = ("c6g", "c6gd", "c6gn", "c7g", "c8g", "m6g", "m6gd", "m8g", "r6g", "r6gd", "r7gd", "r8g", "p6e-gb200")
TOO_OLD_FOR_CUDA_13 = ("p2", "p3")
NO_NVIDIA = ("inf1", "inf2", "trn1", "trn1n", "trn2", "dl1")
UNFIT = ARM + TOO_OLD_FOR_CUDA_13 + NO_NVIDIA


@pytest.fixture(scope="module")
def offered() -> list[str]:
    """Every type that SageMaker's own description lists for endpoints."""
    service = botocore.session.get_session().get_service_model("sagemaker")
    types: Any = service.shape_for("ProductionVariantInstanceType")
    return list(types.enum)


def family(instance: str) -> str:
    return instance.split(".")[1]


def test_every_instance_of_sagemakers_is_taken_or_has_a_reason_not_to_be(offered: list[str]) -> None:
    families = {family(instance) for instance in offered}

    assert families == {*CPUS, *GPUS, *UNFIT}


def test_an_instance_that_the_image_runs_on_is_taken_whatever_its_size(offered: list[str]) -> None:
    fit = [instance for instance in offered if family(instance) not in UNFIT]

    for instance in fit:
        assert Hosting(mode="gpu", instance=instance).cuda == (family(instance) in GPUS)


def test_an_instance_that_the_image_cannot_run_on_is_refused(offered: list[str]) -> None:
    for instance in (instance for instance in offered if family(instance) in UNFIT):
        with pytest.raises(ValidationError, match="does not run on"):
            Hosting(mode="async", instance=instance)
