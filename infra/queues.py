"""The queues between the functions, each with the one where undeliverable messages wait for an operator."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

JOB_RECEIVES = 5
DELIVERY_RECEIVES = 10
DEAD_DAYS = 14


class Queues(Construct):
    def __init__(self, scope: Construct, id: str, *, job_visibility: int, delivery_visibility: int) -> None:
        """Visibility timeouts in seconds."""
        super().__init__(scope, id)
        self.dead_jobs = self._dead("DeadJobs")
        self.dead_deliveries = self._dead("DeadDeliveries")
        self.jobs = self._queue("Jobs", self.dead_jobs, JOB_RECEIVES, job_visibility)
        self.deliveries = self._queue(
            "Deliveries", self.dead_deliveries, DELIVERY_RECEIVES, delivery_visibility
        )

    def _queue(self, id: str, dead: sqs.Queue, receives: int, visibility: int) -> sqs.Queue:
        return sqs.Queue(
            self,
            id,
            visibility_timeout=Duration.seconds(visibility),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=receives),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )

    def _dead(self, id: str) -> sqs.Queue:
        return sqs.Queue(
            self,
            id,
            retention_period=Duration.days(DEAD_DAYS),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
        )
