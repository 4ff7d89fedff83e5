"""One page that answers: is it up, is it fast, does work pile up, what does it cost in Lambda time."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.inference import VARIANT
from infra.service import Service
from infra.stage import Stage

WIDTH = 12
"""Half of the dashboard's 24 columns."""


def dashboard(
    scope: Construct, stage: Stage, service: Service, alarms: list[cloudwatch.Alarm]
) -> cloudwatch.Dashboard:
    board = cloudwatch.Dashboard(
        scope,
        "Dashboard",
        dashboard_name=f"cadenza-{stage.name}",
        default_interval=Duration.hours(3),
    )
    board.add_widgets(cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=24, height=4))
    board.add_widgets(*_api(service))
    board.add_widgets(*_queues(service))
    board.add_widgets(*_functions(service))
    if stage.endpoint is not None:
        board.add_widgets(*_endpoint(stage.endpoint_name))
    return board


def _api(service: Service) -> list[cloudwatch.IWidget]:
    rest = service.gateway.rest
    return [
        _graph("Requests", [rest.metric_count(), rest.metric_client_error(), rest.metric_server_error()]),
        _graph("Latency (ms)", [rest.metric_latency(statistic=s) for s in ("p50", "p95", "p99")]),
    ]


def _queues(service: Service) -> list[cloudwatch.IWidget]:
    queues = service.queues
    live = [queues.jobs, queues.deliveries]
    dead = [queues.dead_jobs, queues.dead_deliveries]
    return [
        _graph("Waiting", [q.metric_approximate_number_of_messages_visible() for q in live]),
        _graph("Oldest message (s)", [q.metric_approximate_age_of_oldest_message() for q in live]),
        _graph("Dead letters", [q.metric_approximate_number_of_messages_visible() for q in dead]),
        _graph("In flight", [q.metric_approximate_number_of_messages_not_visible() for q in live]),
    ]


def _functions(service: Service) -> list[cloudwatch.IWidget]:
    functions = [function.function for function in service.functions.values()]
    return [
        _graph("Invocations", [f.metric_invocations() for f in functions]),
        _graph("Duration p95 (ms)", [f.metric_duration(statistic="p95") for f in functions]),
        _graph("Errors", [f.metric_errors() for f in functions]),
        _graph("Throttles", [f.metric_throttles() for f in functions]),
    ]


def _endpoint(name: str) -> list[cloudwatch.IWidget]:
    """Lines that a mode does not have stay empty: a backlog is of `async` alone."""
    whole = {"EndpointName": name}
    variant = {**whole, "VariantName": VARIANT}

    def metric(metric_name: str, dimensions: dict[str, str], statistic: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace="AWS/SageMaker",
            metric_name=metric_name,
            dimensions_map=dimensions,
            statistic=statistic,
        )

    failures = ("Invocation4XXErrors", "Invocation5XXErrors", "InvocationFailures", "ExpiredRequests")
    waiting = ("ApproximateBacklogSize", "ApproximateAgeOfOldestRequest")
    return [
        _graph("Endpoint", [metric(each, variant, "Sum") for each in ("Invocations", *failures)]),
        _graph("Endpoint's backlog", [metric(each, whole, "Maximum") for each in waiting]),
    ]


def _graph(title: str, metrics: list[cloudwatch.Metric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=WIDTH)
