"""Which of AWS's Solutions rules the app deviates from: said beside the construct, with the reason."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def accept(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept one finding of the AwsSolutions pack, such as `L1` or `IAM5[Resource::*]`, on the construct."""
    acknowledgment = Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason)
    Validations.of(construct).acknowledge(acknowledgment)
