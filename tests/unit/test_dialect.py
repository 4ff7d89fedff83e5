"""What the emulator is told instead of what AWS is told, difference by difference."""

from typing import Any

from local.dialect import adapt, asset_bucket, asset_keys

SECRET = {"Type": "AWS::SecretsManager::Secret", "Properties": {}}
FUNCTION = {
    "Type": "AWS::Lambda::Function",
    "Properties": {
        "Code": {"S3Bucket": {"Fn::Sub": "assets-${AWS::AccountId}-${AWS::Region}"}, "S3Key": "abc.zip"},
        "Environment": {"Variables": {"COLOUR": "blue"}},
    },
}


def adapted(resources: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return adapt({"Resources": resources, **sections}, {"abc.zip": "/assets/abc"})


def statement(template: dict[str, Any]) -> Any:
    return template["Resources"]["Policy"]["Properties"]["PolicyDocument"]["Statement"][0]


def policy(action: object, resource: object = "*") -> dict[str, Any]:
    document = {"Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}
    return {"Type": "AWS::IAM::Policy", "Properties": {"PolicyDocument": document}}


def test_a_resource_that_the_emulator_lacks_goes_with_whatever_waited_for_it() -> None:
    bucket = {"Type": "AWS::S3::Bucket", "DependsOn": ["Publish", "Key"]}
    resources = {
        "Publish": {"Type": "Custom::CDKBucketDeployment"},
        "CustomCDKBucketDeployment8693BB": {"Type": "AWS::Lambda::Function", "Properties": {"Code": {}}},
        "PublishAwsCliLayer1": {"Type": "AWS::Lambda::LayerVersion"},
        "Key": {"Type": "AWS::KMS::Key"},
        "Site": bucket,
    }

    told = adapted(resources)["Resources"]

    assert told == {
        "Key": {"Type": "AWS::KMS::Key"},
        "Site": {"Type": "AWS::S3::Bucket", "DependsOn": ["Key"]},
    }


def test_a_function_runs_from_its_assets_folder_and_keeps_its_own_variables() -> None:
    variables = adapted({"Api": FUNCTION})["Resources"]["Api"]["Properties"]["Environment"]["Variables"]

    assert variables == {"COLOUR": "blue", "PYTHONPATH": "/assets/abc"}


def test_a_reference_to_a_secret_is_its_arn_wherever_it_stands() -> None:
    told = adapted(
        {"Token": SECRET, "Policy": policy("secretsmanager:GetSecretValue", {"Ref": "Token"})},
        Outputs={"Name": {"Value": {"Fn::Join": ["", ["x", {"Ref": "Token"}]]}}},
    )

    assert statement(told)["Resource"] == {"Fn::GetAtt": ["Token", "Id"]}
    assert told["Outputs"]["Name"]["Value"] == {"Fn::Join": ["", ["x", {"Fn::GetAtt": ["Token", "Id"]}]]}


def test_a_reference_to_anything_else_stays() -> None:
    told = adapted({"Token": SECRET, "Policy": policy("sqs:ReceiveMessage", {"Ref": "Queue"})})

    assert statement(told)["Resource"] == {"Ref": "Queue"}


def test_a_secret_without_a_name_is_named_as_aws_names_it() -> None:
    named = {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "mine"}}

    told = adapted({"Token": SECRET, "Named": named})["Resources"]

    assert told["Token"]["Properties"]["Name"].split("-")[0] == "Token"
    assert len(told["Token"]["Properties"]["Name"].split("-")[1]) == 12
    assert told["Named"]["Properties"]["Name"] == "mine"


def test_who_may_send_may_send_in_batches_and_nobody_gains_anything_else() -> None:
    one = statement(adapted({"Policy": policy("sqs:SendMessage")}))
    many = statement(adapted({"Policy": policy(["sqs:ReceiveMessage", "sqs:DeleteMessage"])}))
    none = statement(adapted({"Policy": policy("s3:GetObject")}))

    assert one["Action"] == ["sqs:SendMessage", "sqs:SendMessageBatch"]
    assert many["Action"] == ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:DeleteMessageBatch"]
    assert none["Action"] == "s3:GetObject"


def test_nothing_asks_for_the_cdks_bootstrap_stack() -> None:
    own = {"Type": "String"}
    parameters = {"BootstrapVersion": {"Type": "AWS::SSM::Parameter::Value<String>"}, "Own": own}

    told = adapted({}, Parameters=parameters, Rules={"CheckBootstrapVersion": {}})

    assert told == {"Resources": {}, "Parameters": {"Own": own}}


def test_the_template_given_is_left_as_it_was() -> None:
    resources = {"Api": FUNCTION, "Token": SECRET, "Policy": policy("sqs:SendMessage", {"Ref": "Token"})}
    before = repr(resources)

    adapted(resources)

    assert repr(resources) == before


def test_the_assets_to_upload_are_those_that_functions_run_from() -> None:
    template = {"Resources": {"Api": FUNCTION, "Token": SECRET}}

    assert asset_keys(template) == {"abc.zip"}
    assert asset_bucket(template) == "assets-000000000000-us-east-1"


def test_a_secret_without_punctuation_lists_it() -> None:
    generated = {"GenerateSecretString": {"PasswordLength": 48, "ExcludePunctuation": True}}

    told = adapted({"Token": {**SECRET, "Properties": generated}})["Resources"]["Token"]["Properties"]

    assert set("!/+=_-") < set(told["GenerateSecretString"]["ExcludeCharacters"])


def test_an_alarm_on_a_sum_of_metrics_is_left_out() -> None:
    plain, sums = {"MetricName": "Errors"}, {"Metrics": [{"Id": "sum", "Expression": "a + b"}]}
    alarms = {
        name: {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}
        for name, properties in (("Plain", plain), ("Sums", sums))
    }

    assert set(adapted(alarms)["Resources"]) == {"Plain"}
