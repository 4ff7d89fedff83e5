"""The HTTP front: a REST API that hands every path to one function, and answers in problem+json itself."""

import json

from aws_cdk import Duration, Size
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.functions import log_group
from infra.problems import add_problems
from infra.rules import accept
from infra.stage import Stage

STAGE_NAME = "v1"
TIMEOUT_SECONDS = 29

ACCESS_LOG = {
    "request_id": "$context.requestId",
    "time": "$context.requestTime",
    "ip": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "latency_ms": "$context.responseLatency",
    "integration_ms": "$context.integrationLatency",
    "integration_error": "$context.integrationErrorMessage",
    "error": "$context.error.responseType",
    "user_agent": "$context.identity.userAgent",
}

LOGGING = "Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"


class Gateway(Construct):
    def __init__(self, scope: Construct, id: str, *, stage: Stage, function: lambda_.Function) -> None:
        super().__init__(scope, id)
        self.rest = apigateway.RestApi(
            self,
            "Rest",
            rest_api_name=f"cadenza-{stage.name}",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            min_compression_size=Size.kibibytes(1),
            # Once per account and region; without it a fresh account refuses the access log.
            cloud_watch_role=True,
            deploy_options=self._deployment(stage),
            default_integration=apigateway.LambdaIntegration(
                function, allow_test_invoke=False, timeout=Duration.seconds(TIMEOUT_SECONDS)
            ),
        )
        self.rest.root.add_proxy()
        self.rest.node.try_remove_child("Endpoint")  # an output of the CDK's own; ours is ApiUrl
        add_problems(self.rest)
        self._accept_findings()

    @property
    def host(self) -> str:
        return f"{self.rest.rest_api_id}.execute-api.{self.rest.stack.region}.{self.rest.stack.url_suffix}"

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        return f"https://{self.host}/{STAGE_NAME}"

    def _deployment(self, stage: Stage) -> apigateway.StageOptions:
        return apigateway.StageOptions(
            stage_name=STAGE_NAME,
            throttling_rate_limit=stage.requests_per_second,
            throttling_burst_limit=stage.request_burst,
            tracing_enabled=True,
            metrics_enabled=True,
            logging_level=apigateway.MethodLoggingLevel.ERROR,
            data_trace_enabled=False,
            access_log_destination=apigateway.LogGroupLogDestination(log_group(self, "AccessLog", stage)),
            access_log_format=apigateway.AccessLogFormat.custom(json.dumps(ACCESS_LOG)),
        )

    def _accept_findings(self) -> None:
        validated = (
            "The function validates each request with the types that its OpenAPI document is made from."
        )
        anonymous = "Callers are anonymous so far; who may see a job is the function's decision."
        accept(self.rest, "APIG2", validated)
        accept(self.rest, "APIG4", anonymous)
        accept(self.rest, "COG4", anonymous)
        accept(self.rest, "APIG3", "A web ACL costs more than an idle stage; the request limits need none.")
        accept(self.rest, f"IAM4[{LOGGING}]", "The account-wide logging role that API Gateway prescribes.")
