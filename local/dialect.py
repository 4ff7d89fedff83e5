"""Says in the emulator's CloudFormation what a template says in AWS's.

Every difference between the two lives here, as a pure function of a template, so that infra/ need not know of
any. `adapt` changes only what would fail or cost seconds for nothing; what CloudFormation itself would have
done with the resources it removes is done by local/completion.py.
"""

import string
from collections.abc import Callable, Mapping
from typing import Any

from local import ACCOUNT, REGION

Template = dict[str, Any]

DEPLOYMENT = "Custom::CDKBucketDeployment"
UNSUPPORTED = frozenset(
    {
        DEPLOYMENT,  # its function needs the AWS command line at /opt/awscli
        "Custom::S3AutoDeleteObjects",  # its function needs the Node SDK; `make reset` deletes everything
        "AWS::Budgets::Budget",  # a laptop bills nobody
        "AWS::CDK::Metadata",
    }
)
HELPERS_OF_UNSUPPORTED = ("CustomCDKBucketDeployment", "CustomS3AutoDeleteObjects")
LAYER = "AwsCliLayer"
BOOTSTRAP = ("CheckBootstrapVersion", "BootstrapVersion")
BATCHED = ("sqs:SendMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility")
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}


def adapt(template: Template, folders: Mapping[str, str]) -> Template:
    """The template for the emulator. `folders` gives each asset's folder by object key."""
    resources: dict[str, Any] = template.get("Resources", {})
    kept = {name: resource for name, resource in resources.items() if _works(name, resource)}
    secrets = {name for name, each in kept.items() if each["Type"] == "AWS::SecretsManager::Secret"}
    adapted = {
        name: _named_as_aws(name, _read_in_place(_without_dangling(each, kept), folders))
        for name, each in kept.items()
    }

    def rule(node: dict[str, Any]) -> dict[str, Any]:
        return _without_punctuation(_with_batches(_arn_for_ref(node, secrets)))

    rewritten: Template = _everywhere({**template, "Resources": adapted}, rule)
    return _without_bootstrap(rewritten)


def _works(name: str, resource: Mapping[str, Any]) -> bool:
    return (
        resource["Type"] not in UNSUPPORTED
        and not name.startswith(HELPERS_OF_UNSUPPORTED)
        and LAYER not in name
        # Alarms on a sum of metrics; no metric of a service reaches an alarm here anyway.
        and not (resource["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in resource["Properties"])
    )


def _without_dangling(resource: dict[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    """A resource may have waited for one that is not there any more."""
    needed = resource.get("DependsOn", [])
    needed = [name for name in ([needed] if isinstance(needed, str) else needed) if name in kept]
    rest = {key: value for key, value in resource.items() if key != "DependsOn"}
    return {**rest, "DependsOn": needed} if needed else rest


def _read_in_place(resource: dict[str, Any], folders: Mapping[str, str]) -> dict[str, Any]:
    """Run a function from its asset's folder.

    The emulator keeps every zip in memory and unzips it for every worker; for the conductor that is a quarter
    of a gigabyte and seconds each time. So the zip holds one line and the Python path leads to the folder.
    """
    if resource["Type"] != "AWS::Lambda::Function":
        return resource
    properties = resource["Properties"]
    folder = folders.get(properties["Code"].get("S3Key", ""))
    if folder is None:
        return resource
    environment = properties.get("Environment", {}).get("Variables", {})
    variables = {**environment, "PYTHONPATH": folder}
    return {**resource, "Properties": {**properties, "Environment": {"Variables": variables}}}


def _named_as_aws(name: str, resource: dict[str, Any]) -> dict[str, Any]:
    """AWS names a secret `<logical id>-<12 characters>`; the CDK counts on that to cut names out of ARNs."""
    if resource["Type"] != "AWS::SecretsManager::Secret" or "Name" in resource["Properties"]:
        return resource
    return {**resource, "Properties": {**resource["Properties"], "Name": f"{name}-{ACCOUNT}"}}


def _arn_for_ref(node: dict[str, Any], secrets: set[str]) -> dict[str, Any]:
    """`Ref` of a secret is its ARN in AWS; the emulator gives its name, and grants then match nothing."""
    if len(node) == 1 and node.get("Ref") in secrets:
        return {"Fn::GetAtt": [node["Ref"], "Id"]}
    return node


def _with_batches(node: dict[str, Any]) -> dict[str, Any]:
    """AWS lets who may do a thing to a queue do it in batches; the emulator wants the batch's own action."""
    actions = node.get("Action", [])
    actions = [actions] if isinstance(actions, str) else actions
    batches = [action + "Batch" for action in actions if action in BATCHED]
    return {**node, "Action": [*actions, *batches]} if batches else node


def _without_punctuation(node: dict[str, Any]) -> dict[str, Any]:
    """Of what a generated secret must not hold, the emulator heeds only characters that are listed."""
    if not node.get("ExcludePunctuation"):
        return node
    return {**node, "ExcludeCharacters": node.get("ExcludeCharacters", "") + string.punctuation}


def _everywhere(value: Any, rule: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    if isinstance(value, dict):
        return rule({key: _everywhere(each, rule) for key, each in value.items()})
    return [_everywhere(each, rule) for each in value] if isinstance(value, list) else value


def _without_bootstrap(template: Template) -> Template:
    """Leave out what asks for the CDK's bootstrap stack, which the emulator has no use for."""
    for section in ("Rules", "Parameters"):
        kept = {name: each for name, each in template.get(section, {}).items() if name not in BOOTSTRAP}
        others = {name: each for name, each in template.items() if name != section}
        template = {**others, section: kept} if kept else others
    return template


def asset_keys(template: Template) -> set[str]:
    """The object keys of the assets that this template's functions run from."""
    functions = [each for each in template["Resources"].values() if each["Type"] == "AWS::Lambda::Function"]
    return {key for each in functions if (key := each["Properties"]["Code"].get("S3Key"))}


def asset_bucket(template: Template) -> str | None:
    """The bucket that the CDK would have uploaded this template's function assets to."""
    for each in template["Resources"].values():
        bucket = each.get("Properties", {}).get("Code", {}) if each["Type"] == "AWS::Lambda::Function" else {}
        if "S3Bucket" in bucket:
            return plain(bucket["S3Bucket"])
    return None


def plain(value: Any) -> str:
    """The text of a string or of an `Fn::Sub` over pseudo parameters only."""
    text: str = value["Fn::Sub"] if isinstance(value, dict) else value
    for name, meaning in PSEUDO.items():
        text = text.replace(f"${{{name}}}", meaning)
    return text
