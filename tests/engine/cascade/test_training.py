"""Training, whole: songs in, a checkpoint out that every reader reads; and broken off, it goes on alike."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from model_container.cascade import load, load_critic
from model_container.train import main
from model_container.training import state

TINY = ["--layers=1", "--heads=2", "--seconds=1", "--batch=4", "--lr=0.003", "--patience=0"]
Run = Callable[..., int]


@pytest.fixture(scope="module")
def run(songs: Path, encodec: Path) -> Run:
    """run(out, flag…) → the exit status of a training of the tiny recipe."""

    def run(out: Path, *flags: str) -> int:
        return main(
            [str(songs), "--encodec", str(encodec), "--out", str(out), *TINY, "--validation=0.25", *flags]
        )

    return run


@pytest.fixture(scope="module")
def trained(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    assert run(out, "--epochs", "3", "--save-every", "2") == 0
    return out


@pytest.fixture(scope="module")
def last(trained: Path) -> dict[str, Any]:
    return state.read(trained / state.LAST)


def test_validation_beats_its_start(last: dict[str, Any]) -> None:
    assert last["best_val_loss"] < last["progress"]["first_val_loss"]


def test_the_best_model_loads_with_its_critic_and_is_the_published_container(trained: Path) -> None:
    container = torch.load(trained / state.BEST, weights_only=True)

    model, critic = load(trained / state.BEST), load_critic(trained / state.BEST)

    assert model(*[torch.randn(1, 16, 30)] * 2).shape == (1, 16, 30)
    assert critic(torch.randn(1, 16, 30)).shape == (1, 1)
    assert (model.architecture.heads, model.architecture.agent) == (2, "masking")
    assert container["args"]["num_transformer_layers"] == 2
    assert {
        "epoch",
        "model_state_dict",
        "args",
        "train_loss",
        "val_loss",
        "best_val_loss",
    } <= container.keys()
    assert not any(name.startswith("module.") for name in container["model_state_dict"])


def test_checkpoints_are_kept_by_the_epoch(trained: Path) -> None:
    kept = sorted(path.name for path in trained.glob("checkpoint_epoch_*.pt"))

    assert kept == ["checkpoint_epoch_2.pt"]
    assert load(trained / kept[0]).architecture.dim == 16


def test_the_model_is_told_beside_the_plain_mix(trained: Path) -> None:
    told = json.loads((trained / state.EVALUATION).read_text())

    assert told.keys() == {"model", "mix", "difference"}
    assert told["model"].keys() == told["mix"].keys() >= {"loss", "input", "target", "corr"}
    assert told["difference"]["share"] > 0


def test_the_curves_are_written(trained: Path) -> None:
    events = [path.read_bytes() for path in (trained / "tensorboard").iterdir()]

    assert any(b"loss/validation" in each for each in events)


def test_going_on_gives_what_an_unbroken_training_gives(
    run: Run, tmp_path: Path, last: dict[str, Any]
) -> None:
    assert run(tmp_path, "--epochs", "1", "--save-every", "2") == 0
    assert run(tmp_path, "--epochs", "3", "--save-every", "2", "--resume") == 0

    resumed = state.read(tmp_path / state.LAST)

    assert _equal(resumed, last)


def test_going_on_with_another_recipe_is_refused(
    run: Run, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(trained, "--resume", "--weight-corr", "0.7", "--seed", "1") == 1

    told = capsys.readouterr().err
    assert "weight_corr was 0.5 and is 0.7" in told
    assert "seed was 42 and is 1" in told
    assert "songs was" in told  # another seed splits them otherwise


def test_a_training_is_not_begun_over_another(
    run: Run, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(trained) == 1

    assert "--resume" in capsys.readouterr().err


def test_two_processes_train_one_model(
    songs: Path, encodec: Path, tmp_path: Path, last: dict[str, Any]
) -> None:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    words = [str(songs), "--encodec", str(encodec), "--out", str(tmp_path), *TINY, "--batch=2"]

    done = subprocess.run(
        [*launcher, "-m", "model_container.train", *words, "--epochs", "1"],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "plain mix" in done.stdout
    stored = state.read(tmp_path / state.LAST)
    first, second = stored["random_states"]
    assert stored["decisive"]["processes"] == 2
    assert not torch.equal(first["cpu"], second["cpu"])
    assert load(tmp_path / state.BEST).architecture.dim == 16


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--seconds", "5"], "0 of 4 songs last 10 s or more"),
        (["--lr", "0"], "--lr must be more than 0"),
        (["--epochs", "-1"], "--epochs must not be negative"),
        (["--dropout", "1"], "--dropout must be less than 1"),
        (["--validation", "1"], "--validation must lie between"),
        (["--seconds", "40"], "--seconds must lie between"),
        (["--heads", "5"], "5 heads do not divide"),
        (["--remote"], "--role"),
    ],
)
def test_what_cannot_be_trained_is_said(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], words: str
) -> None:
    assert run(tmp_path / "out", *flags) == 1

    assert words in capsys.readouterr().err


def test_places_that_cannot_be_are_said(
    songs: Path, encodec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty, file = tmp_path / "empty", tmp_path / "file"
    empty.mkdir()
    file.touch()
    wrong = {
        "is not a folder": (tmp_path / "absent", encodec, tmp_path / "a"),
        "holds no songs": (empty, encodec, tmp_path / "b"),
        "config.json is missing": (songs, empty, tmp_path / "c"),
        "cannot be written to": (songs, encodec, file / "below"),
    }

    for words, (source, model, out) in wrong.items():
        assert main([str(source), "--encodec", str(model), "--out", str(out), *TINY]) == 1
        assert words in capsys.readouterr().err


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])

    told = capsys.readouterr().out
    assert all(word in told for word in ("--weight-balance", "(15.0)", "--no-shuffle-targets", "--remote"))


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return bool(torch.equal(one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)
