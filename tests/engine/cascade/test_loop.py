"""The epochs' decisions, and what lies on disk when something goes wrong between two of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from model_container.cascade import load
from model_container.training import state
from model_container.training.codec import Codec, load_codec
from model_container.training.loop import Loop
from model_container.training.pairs import Corpus, corpus
from model_container.training.player import Player
from model_container.training.processes import Processes
from model_container.training.recipe import Recipe, TrainingError
from model_container.training.songs import decoded, find

RECIPE = Recipe(
    layers=1, heads=2, agent="none", weight_gan=0, seconds=1, batch=2, validation=0.25, max_pairs=4
)


@pytest.fixture(scope="module")
def pairs(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return corpus(list(decoded(find(songs), tmp_path_factory.mktemp("cache"), print)), RECIPE)


class Scripted(Loop):
    """Learns nothing and is judged by a script."""

    script: list[float]

    def validate(self) -> dict[str, float]:
        return {"loss": self.script.pop(0)}

    def _learn(self, epoch: int) -> dict[str, float]:
        return {"loss": 1.0, "gradient": 1.0}


def scripted(codec: Codec, folder: Path, script: list[float], **changes: Any) -> Scripted:
    recipe = replace(RECIPE, **{"epochs": 50, **changes})
    loop = Scripted(Player(recipe, codec, Processes()), Corpus((), ()), Processes(), folder, None)
    loop.script = script
    return loop


def resumed(codec: Codec, folder: Path, script: list[float], **changes: Any) -> Scripted:
    loop = scripted(codec, folder, script, **changes)
    loop.restore()
    return loop


def test_it_ends_when_validation_has_not_improved_for_too_long(codec: Codec, tmp_path: Path) -> None:
    loop = scripted(codec, tmp_path, [9, 5, 4, 6, 4, 5, 1], patience=3)

    progress = loop.run()

    assert (progress.epoch, progress.best_val_loss, progress.first_val_loss) == (4, 4, 9)
    assert loop.script == [1]


def test_the_rate_is_halved_on_a_plateau(codec: Codec, tmp_path: Path) -> None:
    loop = scripted(codec, tmp_path, [9, 5, 5, 5, 5], patience=3, lr=0.01, lr_patience=1)

    loop.run()

    assert loop.player.optimizer.param_groups[0]["lr"] == 0.005


def test_the_best_model_is_the_best_epochs(codec: Codec, tmp_path: Path) -> None:
    scripted(codec, tmp_path, [9, 5, 3, 4, 4], epochs=4).run()

    best, last = state.read(tmp_path / state.BEST), state.read(tmp_path / state.LAST)

    assert (best["epoch"], best["val_loss"]) == (1, 3)
    assert (last["epoch"], last["val_loss"], last["best_val_loss"]) == (3, 4, 3)


@pytest.mark.parametrize("broken_off", [state.LAST, state.BEST])
def test_a_crash_while_saving_a_better_epoch_loses_no_best_model(
    codec: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken_off: str
) -> None:
    whole = scripted(codec, tmp_path, [9, 5], epochs=1).run()
    save = state.save

    def crash(content: Any, path: Path) -> None:
        if path.name == broken_off:
            raise KeyboardInterrupt
        save(content, path)

    monkeypatch.setattr(state, "save", crash)
    with pytest.raises(KeyboardInterrupt):
        resumed(codec, tmp_path, [3], epochs=2).run()
    monkeypatch.setattr(state, "save", save)
    again = resumed(codec, tmp_path, [3], epochs=2).run()

    assert (whole.best_val_loss, again.best_val_loss, again.epoch) == (5, 3, 1)
    assert state.read(tmp_path / state.BEST)["val_loss"] == 3


@pytest.mark.parametrize(("script", "best"), [([float("nan")], None), ([9, 5, float("nan")], 5)])
def test_a_validation_that_is_no_number_ends_it_and_keeps_what_was_good(
    codec: Codec, tmp_path: Path, script: list[float], best: float | None
) -> None:
    with pytest.raises(TrainingError, match="validation loss is nan"):
        scripted(codec, tmp_path, script).run()

    kept = [state.read(path)["val_loss"] for path in sorted(tmp_path.glob("*.pt"))]
    assert kept == ([] if best is None else [best, best])


@pytest.mark.parametrize(
    ("model", "agent"),
    [("single", "none"), ("cascade", "none"), ("cascade", "masking"), ("cascade", "compositional")],
)
def test_every_variant_learns_and_is_read_again(
    codec: Codec, pairs: Corpus, tmp_path: Path, model: Any, agent: Any
) -> None:
    recipe = replace(RECIPE, model=model, agent=agent, weight_mel=0.1, epochs=1)
    player = Player(recipe, codec, Processes())
    before = {name: value.clone() for name, value in player.model.named_parameters()}

    Loop(player, pairs, Processes(), tmp_path, None).run()

    learnt = {name: value for name, value in player.model.named_parameters() if value.requires_grad}
    assert all(not torch.equal(value, before[name]) for name, value in learnt.items())
    assert load(tmp_path / state.BEST).architecture == recipe.architecture(codec.dim)


def test_validation_is_the_same_each_time(codec: Codec, pairs: Corpus, tmp_path: Path) -> None:
    loop = Loop(Player(RECIPE, codec, Processes()), pairs, Processes(), tmp_path, None)

    assert loop.validate() == loop.validate()


def test_gradients_that_explode_end_it_before_the_weights_are_lost(codec: Codec) -> None:
    player = Player(RECIPE, codec, Processes())
    before = {name: value.clone() for name, value in player.model.state_dict().items()}
    broken = torch.full((2, 24_000), float("nan"))

    with pytest.raises(TrainingError, match="no longer finite"):
        player.step(broken, broken)

    learnt = dict(player.model.named_parameters())
    assert all(torch.equal(value, before[name]) for name, value in learnt.items())


def test_a_crash_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state.save({"epoch": 1}, tmp_path / state.LAST)

    def crash(content: object, stream: Any) -> None:
        stream.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", crash)
    with pytest.raises(OSError, match="disk full"):
        state.save({"epoch": 2}, tmp_path / state.LAST)

    assert state.read(tmp_path / state.LAST) == {"epoch": 1}


def test_a_state_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / state.LAST).write_bytes(b"no state")

    with pytest.raises(TrainingError, match=r"last\.pt cannot be read"):
        state.read(tmp_path / state.LAST)


def test_another_encodec_is_refused(tmp_path: Path) -> None:
    from transformers import EncodecConfig, EncodecModel

    narrow: dict[str, Any] = {"hidden_size": 16, "codebook_dim": 16, "num_filters": 4, "codebook_size": 8}
    config = EncodecConfig(**narrow, sampling_rate=48_000, audio_channels=2, normalize=True)
    EncodecModel(config).save_pretrained(tmp_path)

    with pytest.raises(TrainingError, match="48000 Hz, 2 channels, normalize=True"):
        load_codec(tmp_path)


def test_an_encodec_without_all_its_weights_is_refused(encodec: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    (tmp_path / "config.json").write_bytes((encodec / "config.json").read_bytes())
    tensors = load_file(encodec / "model.safetensors")
    gone = next(name for name in tensors if name.startswith("decoder.") and name.endswith("bias"))
    del tensors[gone]
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(TrainingError, match=f"lacks weights of EnCodec: {gone}"):
        load_codec(tmp_path)
