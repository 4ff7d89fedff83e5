"""The SageMaker endpoint: model, configuration, endpoint, and for `async` what starts and ends its instances.

The last of the stacks that work: where an account has no quota for the instances, all else stands by then.
"""

from typing import Any

from aws_cdk import CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from infra.data import Data
from infra.execution import (
    ANSWERS,
    FAILURES,
    Weights,
    accept_answers,
    answering,
    execution_role,
    image,
    weights,
)
from infra.functions import LOG_DAYS
from infra.hosting import Hosting
from infra.notices import Notices
from infra.scaling import scale_from_zero
from infra.service import Service
from infra.stage import Stage

VARIANT = "AllTraffic"

CUDA_13 = "al2023-ami-sagemaker-inference-gpu-4-1"
"""Driver 580. The CUDA image's torch is built for CUDA 13; SageMaker's default machines are older."""

DOWNLOAD_SECONDS = 1800
START_SECONDS = 900


class Inference(Stack):
    def __init__(
        self, scope: Construct, id: str, *, stage: Stage, hosting: Hosting, data: Data, service: Service
    ) -> None:
        super().__init__(scope, id, description=f"Cadenza ({stage.name}): the SageMaker endpoint")
        self.stage, self.hosting, self.data, self.service = stage, hosting, data, service
        self.endpoint = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=stage.endpoint_name,
            endpoint_config_name=self._config(self._model()).attr_endpoint_config_name,
            # An update leaves as many instances as there are, which may be none.
            retain_all_variant_properties=True if hosting.mode == "async" else None,
        )
        # Deleted in the opposite order: a container that outlived its log would make it anew, for ever, and
        # the next deployment would find it in its way.
        self.endpoint.node.add_dependency(self._logs())
        if hosting.mode == "async":
            scale_from_zero(
                self, self.endpoint, VARIANT, most=hosting.instances, concurrency=hosting.concurrency
            )
        CfnOutput(self, "EndpointName", value=self.endpoint.attr_endpoint_name)

    def _logs(self) -> logs.LogGroup:
        # SageMaker would make it by itself, to be kept for ever.
        return logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/sagemaker/Endpoints/{self.stage.endpoint_name}",
            retention=LOG_DAYS[self.stage.log_days],
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _model(self) -> sagemaker.CfnModel:
        made, packed, notices = image(self, self.hosting), weights(self.hosting, self.data), self._notices()
        others = [] if notices is None else answering(self.data, notices)
        role = execution_role(self, self.stage.endpoint_name, made, packed, others)
        if others:
            accept_answers(role, self.data)
        return sagemaker.CfnModel(
            self,
            "Model",
            execution_role_arn=role.role_arn,
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(image=made.uri, **_data(packed)),
            # It fetches inputs from presigned addresses and puts audio there; isolated, it could do neither.
            enable_network_isolation=False,
        )

    def _notices(self) -> Notices | None:
        """SageMaker tells only of what it was asked to do and not waited for."""
        return self.service.notices if self.hosting.mode == "async" else None

    def _config(self, model: sagemaker.CfnModel) -> sagemaker.CfnEndpointConfig:
        variant = sagemaker.CfnEndpointConfig.ProductionVariantProperty(
            variant_name=VARIANT, model_name=model.attr_model_name, initial_variant_weight=1, **self._size()
        )
        return sagemaker.CfnEndpointConfig(
            self, "Config", production_variants=[variant], async_inference_config=self._asynchronous()
        )

    def _size(self) -> dict[str, Any]:
        hosting = self.hosting
        if hosting.mode == "serverless":
            limits = sagemaker.CfnEndpointConfig.ServerlessConfigProperty(
                memory_size_in_mb=hosting.memory_mb, max_concurrency=hosting.concurrency
            )
            return {"serverless_config": limits}
        return {
            "instance_type": hosting.instance,
            "initial_instance_count": 1 if hosting.mode == "async" else hosting.instances,
            "inference_ami_version": CUDA_13 if hosting.cuda else None,
            "model_data_download_timeout_in_seconds": DOWNLOAD_SECONDS,
            "container_startup_health_check_timeout_in_seconds": START_SECONDS,
        }

    def _asynchronous(self) -> sagemaker.CfnEndpointConfig.AsyncInferenceConfigProperty | None:
        config, notices = sagemaker.CfnEndpointConfig, self._notices()
        if notices is None:
            return None
        bucket = self.data.audio.bucket_name
        return config.AsyncInferenceConfigProperty(
            client_config=config.AsyncInferenceClientConfigProperty(
                max_concurrent_invocations_per_instance=self.hosting.concurrency
            ),
            output_config=config.AsyncInferenceOutputConfigProperty(
                s3_output_path=f"s3://{bucket}/{ANSWERS}",
                s3_failure_path=f"s3://{bucket}/{FAILURES}",
                notification_config=config.AsyncInferenceNotificationConfigProperty(
                    success_topic=notices.success.topic_arn, error_topic=notices.error.topic_arn
                ),
            ),
        )


def _data(packed: Weights) -> dict[str, Any]:
    """What SageMaker lays into /opt/ml/model. Serverless endpoints take an archive and nothing else."""
    if packed.archived:
        return {"model_data_url": packed.uri}
    model = sagemaker.CfnModel
    source = model.S3DataSourceProperty(s3_uri=packed.uri, s3_data_type="S3Prefix", compression_type="None")
    return {"model_data_source": model.ModelDataSourceProperty(s3_data_source=source)}
