"""What a rented machine is given: the same script with the same arguments, and all the code it needs."""

import subprocess
import sys
from pathlib import Path

import pytest

from model_container.train import main, parser
from model_container.training.recipe import Recipe, TrainingError, options
from model_container.training.remote import Machine, send

ROLE = "arn:aws:iam::123456789012:role/training"


def machine(instance: str = "ml.g5.12xlarge") -> Machine:
    return Machine(ROLE, instance, None, 24.0, spot=True)


def test_the_job_runs_the_same_script_with_the_same_recipe():
    recipe = Recipe(layers=2, shuffle_targets=False, agent="none", weight_corr=0.25, seed=7)

    job = machine().job(recipe, "s3://bucket/songs", "s3://bucket/encodec", "s3://bucket/trained/")

    there = parser().parse_args(list(job.arguments))
    assert Recipe(**{each.name: getattr(there, each.name) for each in options()}) == recipe
    assert (there.songs, there.encodec) == ("/opt/ml/input/data/songs", "/opt/ml/input/data/encodec")
    assert (there.out, there.resume, there.remote) == ("/opt/ml/checkpoints", True, False)
    assert job.channels == {"songs": "s3://bucket/songs/", "encodec": "s3://bucket/encodec/"}
    assert job.results == "s3://bucket/trained"


@pytest.mark.parametrize(
    ("out", "staging"),
    [("s3://a/trained", "jobs-of-trained"), ("s3://a/b/trained/", "b/jobs-of-trained")],
)
def test_code_is_put_where_a_job_does_not_look_for_results(out: str, staging: str) -> None:
    job = machine().job(Recipe(), "s3://a/songs", "s3://a/encodec", out)

    assert job.staging() == ("a", staging)
    assert not f"s3://a/{staging}".startswith(job.results)


@pytest.mark.parametrize("out", ["s3://bucket", "s3://bucket/", "s3://bucket//", "s3://", "trained"])
def test_results_need_a_prefix_of_their_own(out: str) -> None:
    with pytest.raises(TrainingError, match="--out must be s3://BUCKET/PREFIX"):
        machine().job(Recipe(), "s3://bucket/songs", "s3://bucket/encodec", out)


def test_a_job_leaves_its_images_torch_as_it_is(tmp_path: Path) -> None:
    send(tmp_path)

    asked = (tmp_path / "model_container" / "requirements-train.txt").read_text()

    assert "\ntransformers==" in asked
    assert "\ntorch" not in asked


@pytest.mark.parametrize(
    ("instance", "launcher"),
    [
        ("ml.g5.12xlarge", "torchrun --standalone --nproc-per-node=gpu"),
        ("ml.p4d.24xlarge", "torchrun --standalone --nproc-per-node=gpu"),
        ("ml.m5.xlarge", "python"),
    ],
)
def test_every_gpu_of_an_instance_trains(instance, launcher):
    job = machine(instance).job(Recipe(), "s3://a/b", "s3://a/c", "s3://a/d")

    assert job.command == f"{launcher} -m model_container.train"


def test_a_local_folder_is_taken_along_and_a_missing_one_refused(tmp_path: Path) -> None:
    job = machine().job(Recipe(), str(tmp_path), "s3://a/c", "s3://a/d")

    assert job.channels["songs"] == str(tmp_path)
    with pytest.raises(TrainingError, match="neither an S3 URI nor a folder"):
        machine().job(Recipe(), str(tmp_path / "absent"), "s3://a/c", "s3://a/d")


def test_the_code_that_is_sent_runs_by_itself(tmp_path: Path) -> None:
    send(tmp_path)
    names = ("train", "training.loop", "training.reporting", "training.evaluation", "training.codec")
    imports = "; ".join(f"import model_container.{name}" for name in names)

    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {imports}"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_a_job_can_be_sent_from_where_there_is_no_torch() -> None:
    words = ["s3://a/b", "--encodec", "s3://a/c", "--out", "no-uri", "--remote", "--role", ROLE]
    code = f"import sys; sys.modules['torch'] = None; from model_container.train import main; main({words})"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stderr == "--out must be s3://BUCKET/PREFIX for a remote training, and is no-uri\n"


def test_without_the_sdk_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sagemaker", None)
    monkeypatch.delitem(sys.modules, "model_container.training.sagemaker", raising=False)
    words = ["s3://a/b", "--encodec", "s3://a/c", "--out", "s3://a/d", "--remote", "--role", ROLE]

    assert main(words) == 1

    assert "requirements-remote.txt" in capsys.readouterr().err
