"""Gives a stage the one thing that its stacks cannot make: a certificate to sign what it composes.

`python -m local.certify --stage dev` works on the AWS account of your credentials. Without files of your own
it makes a development certificate, which no validator trusts.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local import LocalError
from local.certificate import development_certificate


def certify(secret: str, store: Any) -> None:
    """Put a development certificate into this secret, unless it holds one."""
    if "private_key" not in _held(secret, store):
        _put(secret, store, *development_certificate())


def _held(secret: str, store: Any) -> str:
    try:
        return str(store.get_secret_value(SecretId=secret).get("SecretString", ""))
    except store.exceptions.ResourceNotFoundException:
        return ""


def _put(secret: str, store: Any, certificate: str, key: str) -> None:
    value = json.dumps({"certificate": certificate, "private_key": key})
    store.put_secret_value(SecretId=secret, SecretString=value)


def _secret_of(stage: str) -> str:
    stacks = boto3.client("cloudformation").describe_stacks(StackName=f"Cadenza-{stage}-Data")["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stacks[0].get("Outputs", [])}
    if "ProvenanceSecretName" not in outputs:
        raise LocalError(f"The stacks of stage {stage} name no secret for provenance: deploy them first.")
    return outputs["ProvenanceSecretName"]


def _pair(certificate: Path | None, key: Path | None) -> tuple[str, str]:
    if certificate is None and key is None:
        return development_certificate()
    if certificate is None or key is None:
        raise LocalError("A certificate and its key come together.")
    return certificate.read_text(), key.read_text()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local.certify", description=__doc__)
    parser.add_argument("--stage", default="dev")
    parser.add_argument("--certificate", type=Path, help="a PEM chain, the signer first (ES256)")
    parser.add_argument("--key", type=Path, help="the signer's private key, PEM")
    arguments = parser.parse_args()
    try:
        pair = _pair(arguments.certificate, arguments.key)
        secret = _secret_of(arguments.stage)
        _put(secret, boto3.client("secretsmanager"), *pair)
    except (LocalError, OSError, BotoCoreError, ClientError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{secret} holds the certificate; functions that start from now on sign with it.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
