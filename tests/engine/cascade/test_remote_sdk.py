"""What AWS is asked for when the real SDK sends a training away, as a stand-in for AWS hears it.

The SDK is large, so it is not installed for this: `python -m local.environments remote` does.
"""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from local.environments import REMOTE

pytestmark = pytest.mark.skipif(
    not REMOTE.ready, reason="python -m local.environments remote installs the SDK (940 MB)"
)

ROLE = "arn:aws:iam::123456789012:role/training"
JOBS = "bucket/jobs-of-trained/cadenza-cascade"
DENIED = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>No.</Message></Error></ErrorResponse>"
BUCKET = b"<Bucket><Name>bucket</Name><CreationDate>2026-01-01T00:00:00Z</CreationDate></Bucket>"
BUCKETS = b"<ListAllMyBucketsResult><Buckets>" + BUCKET + b"</Buckets></ListAllMyBucketsResult>"


class Amazon(ThreadingHTTPServer):
    """Takes files and training jobs. Whoever asks here may not look into roles."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.jobs: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Amazon
    protocol_version = "HTTP/1.1"  # of which is the "100 Continue" that each file waits for

    def do_GET(self) -> None:
        self._answer(200, BUCKETS)

    def do_PUT(self) -> None:
        self.server.files[self.path.removeprefix("/")] = self._body()
        self._answer(200, b"")

    def do_POST(self) -> None:
        body, target = self._body(), self.headers["X-Amz-Target"]
        if target is None:  # roles
            return self._answer(403, DENIED)
        asked = json.loads(body)
        if target == "SageMaker.CreateTrainingJob":
            self.server.jobs.append(asked)
        self._answer(200, json.dumps(_described(asked["TrainingJobName"])).encode())

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _answer(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None: ...


def _described(name: str) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "TrainingJobArn": f"arn:aws:sagemaker:eu-west-1:123456789012:training-job/{name}",
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Starting",
        "ModelArtifacts": {"S3ModelArtifacts": ""},
        "AlgorithmSpecification": {"TrainingInputMode": "File"},
        "ResourceConfig": {"VolumeSizeInGB": 30},
        "StoppingCondition": {},
        "CreationTime": 1.0,
    }


@pytest.fixture
def amazon() -> Iterator[Amazon]:
    with Amazon() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def test_what_is_asked_for_is_the_same_training_on_the_instance(amazon: Amazon, tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "a.wav").write_bytes(b"a song")
    words = [str(tmp_path / "songs"), "--encodec", "s3://bucket/encodec", "--out", "s3://bucket/trained"]
    rented = ["--remote", "--role", ROLE, "--instance", "ml.g5.12xlarge", "--spot", "--hours", "2"]

    done = _train(amazon, tmp_path, *words, *rented, "--layers", "2")

    assert done.returncode == 0, done.stderr
    (job,) = amazon.jobs
    name = job["TrainingJobName"]
    assert name in done.stdout
    assert job["RoleArn"] == ROLE
    assert job["ResourceConfig"].items() >= {"InstanceType": "ml.g5.12xlarge", "InstanceCount": 1}.items()
    assert job["EnableManagedSpotTraining"] is True
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 7200, "MaxWaitTimeInSeconds": 14400}
    assert job["CheckpointConfig"] == {"S3Uri": "s3://bucket/trained", "LocalPath": "/opt/ml/checkpoints"}
    image = job["AlgorithmSpecification"]["TrainingImage"]
    assert image.endswith(".dkr.ecr.eu-west-1.amazonaws.com/pytorch-training:2.10.0-gpu-py313")
    assert _places(job) == {
        "songs": f"s3://{JOBS}/{name}/input/songs",
        "encodec": "s3://bucket/encodec/",
        "code": f"s3://{JOBS}/{name}/input/code",
        "sm_drivers": f"s3://{JOBS}/{name}/input/sm_drivers",
    }


def test_the_instance_gets_the_songs_the_code_and_the_command(amazon: Amazon, tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "a.wav").write_bytes(b"a song")
    words = [str(tmp_path / "songs"), "--encodec", "s3://bucket/encodec", "--out", "s3://bucket/trained"]

    _train(amazon, tmp_path, *words, "--remote", "--role", ROLE, "--layers", "2")

    root = f"{JOBS}/{amazon.jobs[0]['TrainingJobName']}/input"
    assert amazon.files[f"{root}/songs/a.wav"] == b"a song"
    assert b"def main" in amazon.files[f"{root}/code/model_container/train.py"]
    script = amazon.files[f"{root}/sm_drivers/sm_train.sh"].decode()
    inside = "\ncd /opt/ml/input/data/code"
    installed = "install_requirements.py model_container/requirements-train.txt"
    command = "\ntorchrun --standalone --nproc-per-node=gpu -m model_container.train /opt/ml/input/data/songs"
    assert script.index(inside) < script.index(installed) < script.index(command)
    assert " --out /opt/ml/checkpoints --cache /tmp/audio --resume --model cascade --layers 2 " in script
    assert f"{root}/code/model_container/requirements-train.txt" in amazon.files


def _train(amazon: Amazon, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1"}
    places = {"AWS_ENDPOINT_URL": amazon.url, "AWS_DEFAULT_REGION": "eu-west-1", "HOME": str(home)}
    return subprocess.run(
        [str(REMOTE.python), "-m", "model_container.train", *words],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], **keys, **places},
        check=False,
    )


def _places(job: dict[str, Any]) -> dict[str, str]:
    channels = job["InputDataConfig"]
    return {each["ChannelName"]: each["DataSource"]["S3DataSource"]["S3Uri"] for each in channels}
