"""SageMaker's word that a song is over, as messages on the jobs queue: the next check then happens at once.

A notice is a hint and nothing more: a lost one costs seconds, a forged or doubled one a check.
"""

from aws_cdk import Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct


class Notices(Construct):
    def __init__(self, scope: Construct, id: str, *, jobs: sqs.Queue) -> None:
        super().__init__(scope, id)
        # SNS's own key: who may use SNS in this account may use it, and a key of one's own is paid monthly.
        self._key = kms.Alias.from_alias_name(self, "Key", "alias/aws/sns")
        self.success = self._topic("Success", jobs)
        self.error = self._topic("Error", jobs)

    def _topic(self, id: str, jobs: sqs.Queue) -> sns.Topic:
        topic = sns.Topic(self, id, enforce_ssl=True, master_key=self._key)
        topic.add_subscription(subscriptions.SqsSubscription(jobs, raw_message_delivery=True))
        # Exported in every mode: an export that is still read cannot go, and the endpoint's stack, which
        # reads it while it is asynchronous, is updated after this one.
        Stack.of(self).export_value(topic.topic_arn)
        return topic
