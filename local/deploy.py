"""Deploys a cloud assembly with boto3: what `cdk deploy` does, in a second, with no Node and no bootstrap.

Knows CloudFormation's API. What must be said differently to the emulator is local/dialect.py's business.
"""

import io
import json
import time
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from local import LocalError
from local.assembly import Stack
from local.dialect import adapt, asset_bucket, asset_keys
from local.environments import Say

Client = Callable[[str], Any]

PAUSE_SECONDS = 0.1
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
HOPELESS = ("ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED")


def deploy(stacks: list[Stack], client: Client, say: Say) -> bool:
    """Bring every stack to its template, in order; whether anything changed. Raises LocalError."""
    changed = [_deploy_stack(stack, client, say) for stack in stacks]
    return any(changed)


def outputs(stacks: list[Stack], client: Client) -> dict[str, str]:
    """The outputs of all stacks by their own names, exports between stacks left out."""
    found = [
        output
        for stack in stacks
        for output in _describe(client("cloudformation"), stack.name).get("Outputs", [])
    ]
    return {
        each["OutputKey"]: each["OutputValue"] for each in found if not each["OutputKey"].startswith("Export")
    }


def resources(stacks: list[Stack], client: Client) -> dict[tuple[str, str], str]:
    """The physical id of every resource, by stack name and logical id."""
    cloudformation = client("cloudformation")
    return {
        (stack.name, each["LogicalResourceId"]): each.get("PhysicalResourceId", "")
        for stack in stacks
        for each in cloudformation.describe_stack_resources(StackName=stack.name)["StackResources"]
    }


def _deploy_stack(stack: Stack, client: Client, say: Say) -> bool:
    cloudformation = client("cloudformation")
    template = adapt(stack.template, {asset.key: str(asset.path.resolve()) for asset in stack.assets})
    status = _describe(cloudformation, stack.name).get("StackStatus")
    if status in HOPELESS:
        _wait(cloudformation, stack.name, cloudformation.delete_stack(StackName=stack.name))
        status = None
    if status is not None and _deployed_template(cloudformation, stack.name) == template:
        return False
    say(f"  {stack.name} …")
    _upload_function_code(template, client)
    _submit(cloudformation, stack.name, template, known=status is not None)
    return True


def _submit(cloudformation: Any, name: str, template: Mapping[str, Any], *, known: bool) -> None:
    act = cloudformation.update_stack if known else cloudformation.create_stack
    try:
        accepted = act(StackName=name, TemplateBody=json.dumps(template), Capabilities=CAPABILITIES)
    except ClientError as error:
        if "No updates are to be performed" in str(error):
            return
        raise LocalError(f"Stack {name} was refused: {error}") from error
    _wait(cloudformation, name, accepted)


def _wait(cloudformation: Any, name: str, _accepted: object) -> None:
    while (stack := _describe(cloudformation, name)).get("StackStatus", "").endswith("_IN_PROGRESS"):
        time.sleep(PAUSE_SECONDS)
    if stack and stack["StackStatus"] not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise LocalError(
            f"Stack {name} ended as {stack['StackStatus']}: {_first_failure(cloudformation, name)}"
        )


def _describe(cloudformation: Any, name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return {}
    return found if found["StackStatus"] != "DELETE_COMPLETE" else {}


def _deployed_template(cloudformation: Any, name: str) -> Any:
    body = cloudformation.get_template(StackName=name)["TemplateBody"]
    return json.loads(body) if isinstance(body, str) else body


def _first_failure(cloudformation: Any, name: str) -> str:
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
    failed.sort(key=lambda event: event["Timestamp"])
    told = [
        f"{each['LogicalResourceId']}: {each.get('ResourceStatusReason', 'no reason')}" for each in failed
    ]
    return told[0] if told else "no resource says why"


def _upload_function_code(template: dict[str, Any], client: Client) -> None:
    """One line a function: the code itself is read in place (see dialect)."""
    bucket = asset_bucket(template)
    if bucket is None:
        return
    storage = client("s3")
    storage.create_bucket(Bucket=bucket)
    for key in asset_keys(template):
        storage.put_object(Bucket=bucket, Key=key, Body=_note(key))


def _note(key: str) -> bytes:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr(zipfile.ZipInfo("asset.txt"), f"This function runs from the folder of {key}.\n")
    return zipped.getvalue()
