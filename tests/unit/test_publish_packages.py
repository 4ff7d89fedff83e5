"""Publishing where a package is missing: one line that says what to install."""

import subprocess
import sys
from pathlib import Path

import pytest

RUN = """import runpy, sys
sys.modules[{!r}] = None
runpy.run_module("model_container.publish", None, "__main__")
"""


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("botocore", "Publishing takes what model_container/requirements-publish.txt lists: botocore"),
        ("onnx", "--pack takes what model_container/requirements-publish.txt lists: onnx"),
        ("onnxruntime", "--pack takes what model_container/requirements-publish.txt lists: onnxruntime"),
    ],
)
def test_a_missing_package_is_named_with_the_list_that_has_it(
    tmp_path: Path, missing: str, told: str
) -> None:
    words = [str(tmp_path), "s3://bucket/model", "--pack", "--kept", str(tmp_path)]

    done = subprocess.run(
        [sys.executable, "-c", RUN.format(missing), *words], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(told)
