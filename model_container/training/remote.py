"""The same training on a rented machine: a SageMaker training job of one instance, through AWS's own SDK.

Version 3 of the SageMaker Python SDK, of which `sagemaker-train` is the half that trains: version 2's
estimators are gone from it, and its `ModelTrainer` runs any command with any arguments, which is just what
"the same script with the same arguments" asks for. Imported only when a job is submitted.
"""

import argparse
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from model_container.training.recipe import Recipe, TrainingError

PACKAGE = Path(__file__).resolve().parents[1]
# What the job is sent of this package: what training imports, and nothing else.
SENT = (
    *("__init__.py", "train.py", "cascade", "training"),
    *("engine/__init__.py", "engine/config.py"),
)
REQUIREMENTS = "model_container/requirements-train.txt"
CHANNELS, CHECKPOINTS, SCRATCH = "/opt/ml/input/data", "/opt/ml/checkpoints", "/tmp/audio"
FRAMEWORK = ("2.10.0", "py313")  # of AWS's image, into which the requirements are installed
GPU_FAMILIES = ("ml.g", "ml.p")
RESULTS = re.compile(r"s3://([^/]+)/(?:(.+)/)?([^/]+)/*")  # bucket, folders, name


@dataclass(frozen=True)
class Job:
    """A training job as it is submitted; locations are S3 URIs or, for the channels, local folders."""

    command: str
    arguments: tuple[str, ...]
    channels: dict[str, str]
    results: str

    def staging(self) -> tuple[str, str]:
        """Bucket and prefix for the job's code and local inputs: beside the results, under no name that
        theirs begins, since the job is given all that lies there."""
        found = RESULTS.fullmatch(self.results)
        if found is None:
            raise ValueError(self.results)
        bucket, folders, name = found.groups()
        return bucket, f"{folders}/jobs-of-{name}" if folders else f"jobs-of-{name}"


@dataclass(frozen=True)
class Machine:
    """What is rented. `spot` is cheaper and may be taken away; the job then goes on from its checkpoint."""

    role: str
    instance: str
    image: str | None
    hours: float
    spot: bool

    @staticmethod
    def add_arguments(group: Any) -> None:
        group.add_argument("--remote", action="store_true", help="train there; OUT is an S3 URI then")
        group.add_argument("--role", help="ARN of the role that the job runs as")
        group.add_argument("--instance", default="ml.g5.xlarge", help="instance type (ml.g5.xlarge)")
        group.add_argument("--image", help="training image (AWS's PyTorch image for the instance)")
        group.add_argument("--hours", type=float, default=24.0, help="the longest it may run (24)")
        group.add_argument("--spot", action="store_true", help="rent spare capacity, and go on when it ends")

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Machine":
        """Raises TrainingError when something is lacking."""
        if not arguments.role:
            raise TrainingError("--remote needs --role, the ARN of the role that the job runs as")
        if not arguments.hours > 0:
            raise TrainingError(f"--hours must be more than 0, and is {arguments.hours}")
        return cls(arguments.role, arguments.instance, arguments.image, arguments.hours, arguments.spot)

    def job(self, recipe: Recipe, songs: str, encodec: str, out: str) -> Job:
        """Raises TrainingError for places that a job cannot reach."""
        if not RESULTS.fullmatch(out):  # a whole bucket would be copied into the machine, and back
            raise TrainingError(f"--out must be s3://BUCKET/PREFIX for a remote training, and is {out}")
        for place in (songs, encodec):
            if not place.startswith("s3://") and not Path(place).is_dir():
                raise TrainingError(f"{place} is neither an S3 URI nor a folder")
        gpu = self.instance.startswith(GPU_FAMILIES)
        launcher = "torchrun --standalone --nproc-per-node=gpu" if gpu else "python"
        # Always ready to go on: a job that is interrupted starts again with the same arguments.
        places = ("--out", CHECKPOINTS, "--cache", SCRATCH, "--resume")
        return Job(
            f"{launcher} -m model_container.train",
            (f"{CHANNELS}/songs", "--encodec", f"{CHANNELS}/encodec", *places, *recipe.arguments()),
            {"songs": _place(songs), "encodec": _place(encodec)},
            out.rstrip("/"),
        )

    def submit(self, recipe: Recipe, arguments: argparse.Namespace) -> str:
        """Start the job and return what to tell. Raises TrainingError when it cannot be started."""
        job = self.job(recipe, arguments.songs, arguments.encodec, arguments.out)
        try:
            from model_container.training.sagemaker import start
        except ImportError as error:
            raise TrainingError("--remote needs model_container/requirements-remote.txt installed") from error
        with TemporaryDirectory() as folder:
            send(Path(folder))
            name = start(self, job, Path(folder))
        return f"{name} trains on {self.instance}; {job.results}/best_model.pt will be its result."


def _place(text: str) -> str:
    """What lies in an S3 folder, and not also in those whose names begin alike."""
    return f"{text.rstrip('/')}/" if text.startswith("s3://") else text


def send(folder: Path) -> None:
    """Copy what a job needs of our code into a folder."""
    target = folder / PACKAGE.name
    (target / "engine").mkdir(parents=True)
    for name in SENT:
        source = PACKAGE / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target / name)
    (folder / REQUIREMENTS).write_text(_requirements())


def _requirements() -> str:
    """Training's but torch: the image brings one that is built for the drivers of its hosts."""
    lines = (PACKAGE.parent / REQUIREMENTS).read_text().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("torch=="))
