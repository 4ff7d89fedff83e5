"""What works: the queues, the four functions with their settings and rights, the API, the janitor's clock."""

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from infra import assets, rights
from infra.data import Data
from infra.functions import PythonFunction, Shape
from infra.gateway import TIMEOUT_SECONDS, Gateway
from infra.notices import Notices
from infra.queues import Queues
from infra.rules import accept
from infra.stage import Stage
from lambdas.settings import (
    AceStepSettings,
    ApiSettings,
    ConductorSettings,
    CourierSettings,
    JanitorSettings,
    ReplicateSettings,
    SageMakerSettings,
)

API = Shape(assets.API, "lambdas.api.handler", seconds=TIMEOUT_SECONDS, memory_mb=512)
CONDUCTOR = Shape(assets.CONDUCTOR, "lambdas.conductor.handler", seconds=120, memory_mb=2048)
COURIER = Shape(assets.API, "lambdas.courier.handler", seconds=60, memory_mb=256)
JANITOR = Shape(assets.API, "lambdas.janitor.handler", seconds=60, memory_mb=256)


class Service(Stack):
    def __init__(self, scope: Construct, id: str, *, stage: Stage, data: Data) -> None:
        super().__init__(scope, id, description=f"Cadenza ({stage.name}): API, queues, functions")
        self.stage, self.data = stage, data
        self.queues = Queues(
            self,
            "Queues",
            job_visibility=CONDUCTOR.seconds * stage.visibility_multiple,
            delivery_visibility=COURIER.seconds * stage.visibility_multiple,
        )
        api = self._api()
        # Before the conductor, which tells hosts of models where to call.
        self.gateway = Gateway(self, "Gateway", stage=stage, function=api.function)
        self.notices = Notices(self, "Notices", jobs=self.queues.jobs) if stage.endpoint else None
        self.functions = {
            "api": api,
            "conductor": self._conductor(),
            "courier": self._courier(),
            "janitor": self._janitor(),
        }
        CfnOutput(self, "ApiUrl", value=self.gateway.url)
        CfnOutput(self, "GenerateEndpoint", value=f"{self.gateway.url}/generate")
        CfnOutput(self, "QueueUrl", value=self.queues.jobs.queue_url)
        CfnOutput(self, "DeadLetterQueueUrl", value=self.queues.dead_jobs.queue_url)
        CfnOutput(self, "DeliveriesQueueUrl", value=self.queues.deliveries.queue_url)

    def _api(self) -> PythonFunction:
        secrets = self.data.replicate
        settings = ApiSettings(
            stage=self.stage.name,
            jobs_table=self.data.jobs.table_name,
            ledger_table=self.data.ledger.table_name,
            audio_bucket=self.data.audio.bucket_name,
            jobs_queue_url=self.queues.jobs.queue_url,
            chains=self.stage.chains,
            accepted_licences=self.stage.accepted_licences,
            retention_days=self.stage.audio_days,
            link_minutes=self.stage.link_minutes,
            deadline_minutes=self.stage.deadline_minutes,
            breaker=self.stage.breaker,
            hardware=self.stage.hardware,
            daily_budget_usd=self.stage.daily_budget_usd,
            principal_daily_budget_usd=self.stage.principal_daily_budget_usd,
            replicate_webhook_secret=secrets.webhook.secret_arn if secrets is not None else None,
        )
        api = PythonFunction(
            self,
            "Api",
            stage=self.stage,
            shape=API,
            settings=settings,
            rights=rights.api(self.data, self.queues),
        )
        self._accept_keys(api, "audio", "uploads")
        return api

    def _conductor(self) -> PythonFunction:
        conductor = PythonFunction(
            self,
            "Conductor",
            stage=self.stage,
            shape=CONDUCTOR,
            settings=self._conductor_settings(),
            rights=rights.conductor(self.data, self.queues),
        )
        conductor.consume(self.queues.jobs, concurrency=self.stage.concurrent_jobs)
        self._accept_keys(conductor, "audio", "raw", "uploads")
        return conductor

    def _conductor_settings(self) -> ConductorSettings:
        return ConductorSettings(
            stage=self.stage.name,
            jobs_table=self.data.jobs.table_name,
            ledger_table=self.data.ledger.table_name,
            audio_bucket=self.data.audio.bucket_name,
            jobs_queue_url=self.queues.jobs.queue_url,
            deliveries_queue_url=self.queues.deliveries.queue_url,
            provenance_secret=self.data.provenance.secret_arn,
            chains=self.stage.chains,
            mock=self.stage.mock,
            container_url=self.stage.container_url,
            acestep=self._acestep(),
            sagemaker=self._sagemaker(),
            replicate=self._replicate(),
            breaker=self.stage.breaker,
            hardware=self.stage.hardware,
            daily_budget_usd=self.stage.daily_budget_usd,
            principal_daily_budget_usd=self.stage.principal_daily_budget_usd,
            redelivery_seconds=self.stage.redelivery_seconds,
        )

    def _sagemaker(self) -> SageMakerSettings | None:
        hosting = self.stage.endpoint
        if hosting is None:
            return None
        return SageMakerSettings(
            endpoint=self.stage.endpoint_name,
            mode=hosting.mode,
            model=hosting.model,
            hardware=hosting.hardware,
        )

    def _acestep(self) -> AceStepSettings | None:
        server, secret = self.stage.acestep, self.data.acestep
        if server is None or secret is None:
            return None
        return AceStepSettings(**server.model_dump(), credentials_secret=secret.secret_arn)

    def _replicate(self) -> ReplicateSettings | None:
        model, secrets = self.stage.replicate, self.data.replicate
        if model is None or secrets is None:
            return None
        return ReplicateSettings(
            **model.model_dump(),
            token_secret=secrets.token.secret_arn,
            webhook_url=f"{self.gateway.url}/callbacks/replicate",
        )

    def _courier(self) -> PythonFunction:
        settings = CourierSettings(
            stage=self.stage.name,
            jobs_table=self.data.jobs.table_name,
            audio_bucket=self.data.audio.bucket_name,
            deliveries_queue_url=self.queues.deliveries.queue_url,
            webhook_secret=self.data.webhook.secret_arn,
            link_minutes=self.stage.link_minutes,
        )
        courier = PythonFunction(
            self,
            "Courier",
            stage=self.stage,
            shape=COURIER,
            settings=settings,
            rights=rights.courier(self.data, self.queues),
        )
        courier.consume(self.queues.deliveries)
        self._accept_keys(courier, "audio")
        return courier

    def _janitor(self) -> PythonFunction:
        settings = JanitorSettings(
            stage=self.stage.name,
            jobs_table=self.data.jobs.table_name,
            jobs_queue_url=self.queues.jobs.queue_url,
            dead_letter_queue_url=self.queues.dead_jobs.queue_url,
        )
        janitor = PythonFunction(
            self,
            "Janitor",
            stage=self.stage,
            shape=JANITOR,
            settings=settings,
            rights=rights.janitor(self.data, self.queues),
        )
        # A missed round is made up for by the next one, a minute later: no retries.
        target = targets.LambdaFunction(janitor.function, retry_attempts=0)
        events.Rule(self, "EveryMinute", schedule=events.Schedule.rate(Duration.minutes(1)), targets=[target])
        return janitor

    def _accept_keys(self, function: PythonFunction, *folders: str) -> None:
        for folder in folders:
            finding = f"IAM5[Resource::{self.data.audio_export}/{folder}/*]"
            accept(function.role, finding, "Keys hold a job's id, which is not known before the job is.")
