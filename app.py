"""The CDK app: the stacks of one stage (`-c stage=…`), held to AWS's Solutions rules."""

import sys

import aws_cdk as cdk

from infra.assets import BundleError
from infra.cadenza import compose
from infra.stage import StageError

if __name__ == "__main__":
    app = cdk.App()
    try:
        compose(app)
    except (StageError, BundleError) as error:
        sys.exit(f"cadenza: {error}")
    app.synth()
