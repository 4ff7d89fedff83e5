"""A deployment's hosts of models, by their names in its chains. Loads only those that are set up."""

from urllib3 import PoolManager

from lambdas.core.ports import Backend, Clock, Tell
from lambdas.core.prices import usd
from lambdas.settings import AceStepSettings, ConductorSettings, ReplicateSettings, SageMakerSettings


def hosts(settings: ConductorSettings, clock: Clock, warn: Tell) -> dict[str, Backend]:
    """The registry: one line per host. warn: tells the operator of a secret that cannot be read."""
    from lambdas.backends import mock
    from lambdas.backends.container import ContainerBackend
    from lambdas.backends.upload import put

    sounds = {"music": mock.music, "silence": mock.silence}
    made: dict[str, Backend] = {"mock": mock.MockBackend(sounds[settings.mock], put, clock)}
    if settings.container_url is not None:
        made["container"] = ContainerBackend(settings.container_url, PoolManager())
    if settings.acestep is not None:
        made["acestep"] = _acestep(settings.acestep, clock, warn)
    if settings.replicate is not None:
        made["replicate"] = _replicate(settings.replicate, warn)
    if settings.sagemaker is not None:
        made["sagemaker"] = _sagemaker(settings.sagemaker, settings.audio_bucket, clock)
    return made


def _sagemaker(settings: SageMakerSettings, bucket: str, clock: Clock) -> Backend:
    from lambdas.aws import clients
    from lambdas.aws.endpoints import status
    from lambdas.aws.objects import S3Objects
    from lambdas.backends.progress import look
    from lambdas.backends.sagemaker import PATIENCE, SageMakerBackend

    return SageMakerBackend(
        client=clients.sagemaker_runtime(PATIENCE[settings.mode]),
        settings=settings,
        look=look,
        objects=S3Objects(clients.s3(), bucket),
        bucket=bucket,
        status=lambda: status(clients.sagemaker(), settings.endpoint),
        clock=clock,
    )


def _acestep(settings: AceStepSettings, clock: Clock, warn: Tell) -> Backend:
    from lambdas.aws import clients
    from lambdas.aws.secrets import credential
    from lambdas.backends.acestep import AceStepBackend
    from lambdas.backends.upload import put
    from lambdas.core.models import ACE_STEP
    from lambdas.core.paces import pace

    on = settings.hardware
    return AceStepBackend(
        url=settings.url,
        http=PoolManager(),
        put=put,
        clock=clock,
        credentials=lambda: credential(clients.secrets(), settings.credentials_secret, "acestep", warn),
        usd_per_second=usd("acestep", on, 1.0) if on else 0.0,
        expected_s=pace(ACE_STEP.id, "acestep", on) if on else ACE_STEP.work_per_second,
        planning=settings.planning,
    )


def _replicate(settings: ReplicateSettings, warn: Tell) -> Backend:
    from lambdas.aws import clients
    from lambdas.aws.secrets import credential
    from lambdas.backends.replicate import ReplicateBackend
    from lambdas.backends.upload import put

    return ReplicateBackend(
        version=settings.version,
        hardware=settings.hardware,
        token=lambda: credential(clients.secrets(), settings.token_secret, "replicate", warn),
        http=PoolManager(),
        put=put,
        base_url=settings.base_url,
        webhook_url=settings.webhook_url,
        cancel_after=settings.cancel_after,
    )
