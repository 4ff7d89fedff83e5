"""What an operator sees and is told: a dashboard, alarms, a budget; all of them end in one topic."""

from aws_cdk import Aws, CfnOutput, Duration, Stack
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.dashboard import dashboard
from infra.inference import VARIANT
from infra.service import Service
from infra.stage import Stage

PUBLISHERS = ("cloudwatch", "budgets")
METRICS = "Cadenza"
"""The namespace of what the functions count themselves (lambdas/telemetry.py)."""
PERIOD = Duration.minutes(5)
SERVER_ERRORS = 5
"""Answers of 5xx within a period that wake someone: one alone may be a passing fault of AWS."""


class Watch(Stack):
    def __init__(self, scope: Construct, id: str, *, stage: Stage, service: Service) -> None:
        super().__init__(scope, id, description=f"Cadenza ({stage.name}): dashboard, alarms, budget")
        self.stage, self.service = stage, service
        self.topic = self._topic()
        self.alarms = [
            *self._queue_alarms(),
            *self._function_alarms(),
            *self._api_alarms(),
            *self._endpoint_alarms(),
            *self._chain_alarms(),
        ]
        self._budget()
        board = dashboard(self, stage, service, self.alarms)
        CfnOutput(self, "AlarmTopicArn", value=self.topic.topic_arn)
        CfnOutput(self, "DashboardName", value=board.dashboard_name)

    def _topic(self) -> sns.Topic:
        topic = sns.Topic(self, "Alarms", display_name=f"Cadenza {self.stage.name}", enforce_ssl=True)
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(f"{name}.amazonaws.com") for name in PUBLISHERS],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        if self.stage.alarm_email:
            topic.add_subscription(subscriptions.EmailSubscription(self.stage.alarm_email))
        return topic

    def _alarm(
        self, id: str, metric: cloudwatch.IMetric, threshold: float, meaning: str, periods: int = 1
    ) -> cloudwatch.Alarm:
        """Sounds when the metric reaches the threshold in each of `periods` periods, and tells of its end."""
        alarm = cloudwatch.Alarm(
            self,
            id,
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=f"Cadenza ({self.stage.name}): {meaning}",
        )
        action = actions.SnsAction(self.topic)
        alarm.add_alarm_action(action)
        alarm.add_ok_action(action)
        return alarm

    def _queue_alarms(self) -> list[cloudwatch.Alarm]:
        queues = self.service.queues
        dead = {"DeadJobs": queues.dead_jobs, "DeadDeliveries": queues.dead_deliveries}
        return [
            *(
                self._alarm(
                    id,
                    _depth(queue),
                    1,
                    "a message could not be handled; look at it, then redrive or purge the queue",
                )
                for id, queue in dead.items()
            ),
            self._alarm(
                "JobsWait",
                queues.jobs.metric_approximate_age_of_oldest_message(period=PERIOD, statistic="Maximum"),
                self.stage.queue_age_seconds,
                "jobs wait longer than they should; the conductor fails, is throttled or is too narrow",
            ),
        ]

    def _function_alarms(self) -> list[cloudwatch.Alarm]:
        return [
            alarm
            for name, function in self.service.functions.items()
            for alarm in (
                self._alarm(
                    f"{name.title()}Errors",
                    function.function.metric_errors(period=PERIOD),
                    1,
                    f"the {name} function raised or ran out of time",
                ),
                self._alarm(
                    f"{name.title()}Throttles",
                    function.function.metric_throttles(period=PERIOD),
                    1,
                    f"the {name} function wanted more concurrency than the account has",
                ),
            )
        ]

    def _api_alarms(self) -> list[cloudwatch.Alarm]:
        rest = self.service.gateway.rest
        return [
            self._alarm(
                "ServerErrors",
                rest.metric_server_error(period=PERIOD, statistic="Sum"),
                SERVER_ERRORS,
                "the API answers with 5xx",
            ),
            self._alarm(
                "Latency",
                rest.metric_latency(period=PERIOD, statistic="p95"),
                self.stage.latency_ms,
                "the API's p95 latency is high; callers that ask to wait (Prefer: wait) count as well",
                periods=3,
            ),
        ]

    def _endpoint_alarms(self) -> list[cloudwatch.Alarm]:
        if self.stage.endpoint is None:
            return []
        asynchronous = self.stage.endpoint.mode == "async"
        failures = self._endpoint_metric("InvocationFailures" if asynchronous else "Invocation5XXErrors")
        failed = self._alarm(
            "EndpointErrors",
            failures,
            SERVER_ERRORS,
            "the model's endpoint fails to make what it is asked for",
        )
        if not asynchronous:
            return [failed]
        expired = self._endpoint_metric("ExpiredRequests")
        meaning = "songs waited half an hour for an instance; none could be started, or too few"
        return [failed, self._alarm("EndpointExpires", expired, 1, meaning)]

    def _endpoint_metric(self, name: str) -> cloudwatch.Metric:
        """https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html"""
        return cloudwatch.Metric(
            namespace="AWS/SageMaker",
            metric_name=name,
            dimensions_map={"EndpointName": self.stage.endpoint_name, "VariantName": VARIANT},
            statistic="Sum",
            period=PERIOD,
        )

    def _chain_alarms(self) -> list[cloudwatch.Alarm]:
        hosts = {host for chain in self.stage.chains.values() for host in chain} - {"mock"}
        return [
            self._alarm(
                "BudgetSpent",
                _told("BudgetRefusals", code="budget_exhausted"),
                1,
                "the day's budget of the stage is spent: paid work is refused until midnight UTC",
            ),
            *(
                self._alarm(
                    f"{host.title()}LeftAlone",
                    _told("BreakersOpened", backend=host),
                    1,
                    f"the host {host} kept failing and is left alone for a while; see BackendFailures",
                )
                for host in sorted(hosts)
            ),
        ]

    def _budget(self) -> None:
        tag = [f"user:cadenza-stage${self.stage.name}"]
        subscriber = budgets.CfnBudget.SubscriberProperty(
            subscription_type="SNS", address=self.topic.topic_arn
        )
        notifications = [
            budgets.CfnBudget.NotificationWithSubscribersProperty(
                notification=budgets.CfnBudget.NotificationProperty(
                    notification_type=kind, comparison_operator="GREATER_THAN", threshold=percent
                ),
                subscribers=[subscriber],
            )
            for kind, percent in (("ACTUAL", 80), ("FORECASTED", 100))
        ]
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=self.stage.budget_usd, unit="USD"),
                cost_filters={"TagKeyValue": tag} if self.stage.budget_scope == "stage" else None,
            ),
            notifications_with_subscribers=notifications,
        )


def _told(name: str, **concerns: str) -> cloudwatch.Metric:
    """An event that a function counted, by what it concerned."""
    return cloudwatch.Metric(
        namespace=METRICS, metric_name=name, dimensions_map=concerns, period=PERIOD, statistic="Sum"
    )


def _depth(queue: sqs.Queue) -> cloudwatch.MathExpression:
    """All messages of a queue: whoever looks at one hides it from the others for a while."""
    seen = {
        "visible": queue.metric_approximate_number_of_messages_visible(statistic="Maximum"),
        "hidden": queue.metric_approximate_number_of_messages_not_visible(statistic="Maximum"),
    }
    return cloudwatch.MathExpression(
        expression="visible + hidden", using_metrics=dict(seen), period=PERIOD, label="messages"
    )
