"""A two-track checkpoint packed: what is recognised, what is refused, what a pack says of itself."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from model_container.engine.config import CheckpointError
from model_container.engine.manifest import Manifest
from model_container.pack import pack
from model_container.tracks.model import TrackModel
from tests.engine import tiny, tiny_tracks
from tests.engine.tracks.conftest import Folders, noise


def test_the_command_packs_what_the_tiny_command_writes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "tests.engine.tiny_tracks", tmp_path / "tiny"], check=True)
    command = [sys.executable, "-m", "model_container.pack", str(tmp_path / "tiny" / "cascade.pt")]

    good = subprocess.run(
        [*command, tmp_path / "pack", "--encodec", tmp_path / "tiny" / "encodec"],
        capture_output=True,
        text=True,
    )
    bad = subprocess.run(
        [*command, tmp_path / "other", "--encodec", tmp_path], capture_output=True, text=True
    )

    assert (good.returncode, good.stderr) == (0, "")
    assert TrackModel.load(tmp_path / "pack").rate == 24_000
    assert bad.returncode == 1
    assert bad.stderr.startswith("Not packed: ")
    assert "Traceback" not in bad.stderr
    assert not (tmp_path / "other").exists()


def test_a_pack_says_what_it_is_and_names_its_weights(track_checkpoints: Folders, tmp_path: Path) -> None:
    folder = shutil.copytree(track_checkpoints(), tmp_path / "one")
    pack(folder, tmp_path / "pack")
    first = Manifest.read(tmp_path / "pack")
    pack(folder, tmp_path / "pack")
    again = Manifest.read(tmp_path / "pack")
    tiny_tracks.write_cascade(folder / "cascade.pt", None)
    pack(folder, tmp_path / "pack")

    assert (first.kind, first.model) == ("tracks", "cascade")
    assert first == again
    assert Manifest.read(tmp_path / "pack").revision != first.revision


def test_a_training_folder_gives_its_best(track_checkpoints: Folders, tmp_path: Path) -> None:
    folder = shutil.copytree(track_checkpoints(), tmp_path / "trained")
    (folder / "cascade.pt").rename(folder / "best_model.pt")
    (folder / "checkpoint_epoch_10.pt").write_bytes(b"another")

    pack(folder, tmp_path / "pack")

    assert TrackModel.load(tmp_path / "pack").config.hidden == 16


def test_one_of_several_checkpoints_is_not_guessed(track_checkpoints: Folders, tmp_path: Path) -> None:
    folder = shutil.copytree(track_checkpoints(), tmp_path / "several")
    (folder / "other.pt").write_bytes(b"another")

    with pytest.raises(CheckpointError, match=r"several checkpoints: cascade\.pt, other\.pt"):
        pack(folder, tmp_path / "pack")


def test_a_bare_state_dict_in_safetensors_is_packed_too(track_checkpoints: Folders, tmp_path: Path) -> None:
    container = torch.load(track_checkpoints() / "cascade.pt", weights_only=True)
    tiny.save(
        tmp_path / "model.safetensors",
        {name: value.numpy() for name, value in container["model_state_dict"].items()},
    )

    pack(tmp_path / "model.safetensors", tmp_path / "pack", encodec=track_checkpoints() / "encodec")
    pack(track_checkpoints(), tmp_path / "other")

    latents = noise(16 * 20).reshape(2, 16, 20)
    bare, whole = (
        TrackModel.load(tmp_path / name).network(latents[:1], latents[1:]) for name in ("pack", "other")
    )
    np.testing.assert_array_equal(bare, whole)


def test_an_encodec_of_another_width_is_refused(track_checkpoints: Folders, tmp_path: Path) -> None:
    encodec = tiny_tracks.write_encodec(tmp_path / "wide", hidden=24)

    with pytest.raises(CheckpointError, match="24 channels"):
        pack(track_checkpoints(), tmp_path / "pack", encodec=encodec)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"use_causal_conv": False}, "use_causal_conv"),
        ({"normalize": True}, "normalize"),
        ({"audio_channels": 2}, "audio_channels"),
        ({"chunk_length_s": 1.0}, "chunk_length_s"),
        ({"trim_right_ratio": 0.5}, "trim_right_ratio"),
        ({"num_filters": 4}, r"decoder\.layers\.0"),
    ],
)
def test_an_encodec_of_another_kind_is_refused(
    track_checkpoints: Folders, tmp_path: Path, change: dict[str, object], words: str
) -> None:
    folder = shutil.copytree(track_checkpoints(), tmp_path / "other")
    config = folder / "encodec" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), **change}))

    with pytest.raises(CheckpointError, match=words):
        pack(folder, tmp_path / "pack")


def test_an_encodec_with_a_number_that_is_none_is_refused(track_checkpoints: Folders, tmp_path: Path) -> None:
    folder = shutil.copytree(track_checkpoints(), tmp_path / "other")
    weights = folder / "encodec" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-4:] = np.array([np.inf], "<f4").tobytes()
    weights.write_bytes(data)

    with pytest.raises(CheckpointError, match="not finite"):
        pack(folder, tmp_path / "pack")


def test_a_pack_of_songs_is_no_pack_of_tracks(packs: Folders) -> None:
    with pytest.raises(CheckpointError, match="no two-track model"):
        TrackModel.load(packs("text"))


def test_two_tracks_are_served_with_neither_onnx_nor_torch(track_packs: Folders) -> None:
    code = f"""
import sys
sys.modules.update(dict.fromkeys(["onnx", "torch", "transformers", "safetensors"]))
from pathlib import Path
import model_container.serve
from model_container.tracks.model import TrackModel
TrackModel.load(Path({str(track_packs())!r}))
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_torch_the_packer_says_what_it_lacks(track_checkpoints: Folders, tmp_path: Path) -> None:
    code = f"""
import sys
sys.modules["torch"] = None
from pathlib import Path
from model_container.pack import pack
try:
    pack(Path({str(track_checkpoints())!r}), Path({str(tmp_path / "pack")!r}))
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout == (
        "a two-track checkpoint is packed with torch, which is missing: it is of "
        "model_container/requirements-train.txt\n"
    )
