"""Checkpoints in, packed folders out, and clear words for what is neither."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_container.engine import model
from model_container.engine.config import CheckpointError, load_config
from model_container.engine.delay import DelayedCodes
from model_container.engine.generate import Window, generate
from model_container.engine.model import Model
from model_container.engine.sampling import Sampling
from model_container.pack import pack
from tests.engine import tiny
from tests.engine.conftest import Folders


def codes_of(folder: Path) -> np.ndarray:
    model = Model.load(folder)
    window = Window(0, model.conditions("x"), DelayedCodes(model.config.decoder, 20), Sampling())
    return generate(model, window)


def test_shards_hold_the_same_model(packs: Folders, tmp_path: Path) -> None:
    tiny.write(tmp_path / "checkpoint", shards=True)

    pack(tmp_path / "checkpoint", tmp_path / "pack", "fp32")

    np.testing.assert_array_equal(codes_of(tmp_path / "pack"), codes_of(packs("text")))


def test_sixteen_bits_are_read(tmp_path: Path) -> None:
    every = {
        name: array.astype(np.float16).astype(np.float32) for name, array in tiny.tensors("text").items()
    }
    tiny.write(tmp_path / "half", half=True)
    tiny.write(tmp_path / "full")
    tiny.save(tmp_path / "full" / "model.safetensors", every)

    for name in ("half", "full"):
        pack(tmp_path / name, tmp_path / f"{name}-pack", "fp32")

    np.testing.assert_array_equal(codes_of(tmp_path / "half-pack"), codes_of(tmp_path / "full-pack"))


def test_a_pack_for_a_decoder_that_is_not_compiled_here_says_so(
    packs: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = shutil.copytree(packs("text"), tmp_path / "alone")
    (alone / "decoder.onnx").unlink()
    monkeypatch.setattr(model, "kernels", list)

    with pytest.raises(CheckpointError, match=r"not compiled here: .*native\.build"):
        Model.load(alone)


Spoil = Callable[[dict[str, Any], tiny.Tensors], object]
HEAD = "decoder.lm_heads.0.weight"
SPOILED: dict[str, tuple[Spoil, str]] = {
    "missing": (lambda config, tensors: tensors.pop(HEAD), f"tensor {HEAD} is missing"),
    "no projection": (
        lambda config, tensors: tensors.pop("enc_to_dec_proj.weight"),
        "enc_to_dec_proj.weight is missing",
    ),
    "unexpected": (
        lambda config, tensors: tensors.update({"decoder.adapter": np.zeros(3, np.float32)}),
        "does not know: decoder.adapter",
    ),
    "shape": (
        lambda config, tensors: tensors.update({HEAD: tensors[HEAD][:, :-1]}),
        r"has shape \(64, 63\), expected \(64, 64\)",
    ),
    "another model": (lambda config, tensors: config.update(model_type="bark"), "model_type is 'bark'"),
    "another activation": (
        lambda config, tensors: config["decoder"].update(activation_function="relu"),
        "activation_function is 'relu'",
    ),
    "a mistyped number": (
        lambda config, tensors: config["decoder"].update(hidden_size="64"),
        "decoder.hidden_size is '64'",
    ),
    "a missing number": (lambda config, tensors: config["text_encoder"].pop("d_model"), "d_model is None"),
    "too few codebooks": (lambda config, tensors: config["decoder"].update(num_codebooks=3), "do not fit"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_checkpoint_that_is_not_understood_is_refused_by_name(tmp_path: Path, name: str) -> None:
    spoil, message = SPOILED[name]
    folder = tiny.write(tmp_path / "checkpoint")
    config, tensors = tiny.config("text"), tiny.tensors("text")
    spoil(config, tensors)
    (folder / "config.json").write_text(json.dumps(config))
    tiny.save(folder / "model.safetensors", tensors)

    with pytest.raises(CheckpointError, match=message):
        pack(folder, tmp_path / "pack", "fp32")
    assert [entry.name for entry in tmp_path.iterdir()] == ["checkpoint"]


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = tiny.write(tmp_path / "checkpoint")
    (folder / name).unlink()

    with pytest.raises(CheckpointError, match=name):
        pack(folder, tmp_path / "pack", "fp32")


def test_a_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "checkpoint")
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])

    with pytest.raises(CheckpointError, match="cut short"):
        pack(folder, tmp_path / "pack", "fp32")


def test_integers_where_weights_should_be_are_refused(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path / "checkpoint")
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes().replace(b'"F32"', b'"I32"'))

    with pytest.raises(CheckpointError, match="has type I32"):
        pack(folder, tmp_path / "pack", "fp32")


def test_a_failed_pack_leaves_the_old_one(tmp_path: Path, packs: Folders) -> None:
    good, target = tiny.write(tmp_path / "good"), tmp_path / "pack"
    pack(good, target, "fp32")
    (good / "tokenizer.json").unlink()

    with pytest.raises(CheckpointError):
        pack(good, target, "fp32")

    np.testing.assert_array_equal(codes_of(target), codes_of(packs("text")))


def test_a_folder_that_is_no_pack_is_not_loaded(checkpoints: Folders) -> None:
    with pytest.raises(CheckpointError, match="not a packed model"):
        Model.load(checkpoints("text"))


def test_a_pack_of_another_format_asks_to_be_made_again(tmp_path: Path) -> None:
    tiny.write(tmp_path / "checkpoint")
    pack(tmp_path / "checkpoint", tmp_path / "pack", "fp32")
    (tmp_path / "pack" / "pack.json").write_text('{"format": 0}')

    with pytest.raises(CheckpointError, match="pack it again"):
        Model.load(tmp_path / "pack")


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_every_kind_says_what_it_is(checkpoints: Folders, kind: str) -> None:
    decoder = load_config(checkpoints(kind)).decoder

    assert decoder.channels == (2 if "stereo" in kind else 1)
    assert (decoder.melody is not None) == ("melody" in kind)


def test_the_command_packs_and_says_why_it_does_not(checkpoints: Folders, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "model_container.pack"]

    good = subprocess.run([*command, checkpoints("text"), tmp_path / "pack"], capture_output=True, text=True)
    bad = subprocess.run([*command, tmp_path, tmp_path / "other"], capture_output=True, text=True)

    assert (good.returncode, good.stderr) == (0, "")
    assert codes_of(tmp_path / "pack").shape == (4, 20)
    assert bad.returncode == 1
    assert bad.stderr.startswith("Not packed: ")
    assert "Traceback" not in bad.stderr


def test_the_engine_needs_neither_onnx_nor_torch(packs: Folders) -> None:
    code = f"""
import sys
sys.modules.update(dict.fromkeys(["onnx", "torch", "transformers", "safetensors"]))
from pathlib import Path
from model_container.engine.live import Engine
from model_container.engine.model import Model
Model.load(Path({str(packs("text"))!r}))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
