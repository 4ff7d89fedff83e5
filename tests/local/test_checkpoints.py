"""A model's files as named on the command line: what is taken, and the one line that refuses the rest."""

import json
from pathlib import Path
from typing import Any

import pytest

from local import LocalError
from local.checkpoints import Checkpoint, find


def musicgen(folder: Path, kind: str = "musicgen", width: int = 64, channels: int = 1) -> Path:
    return _folder(
        folder, {"model_type": kind, "decoder": {"hidden_size": width, "audio_channels": channels}}
    )


def encodec(folder: Path) -> Path:
    return _folder(folder, {"model_type": "encodec"})


def pack(folder: Path, **manifest: Any) -> Path:
    folder.mkdir(parents=True)
    (folder / "pack.json").write_text(json.dumps({"format": 1, **manifest}))
    return folder


def trained(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"weights")
    return file


def _folder(folder: Path, config: dict[str, Any]) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


@pytest.mark.parametrize(
    ("model", "published"),
    [
        ("musicgen-small", {"width": 1024}),
        ("musicgen-medium", {"width": 1536}),
        ("musicgen-melody", {"kind": "musicgen_melody", "width": 1536}),
        ("musicgen-stereo-large", {"width": 2048, "channels": 2}),
        ("musicgen-stereo-melody-large", {"kind": "musicgen_melody", "width": 2048, "channels": 2}),
        ("musicgen-small", {"width": 64}),
    ],
)
def test_a_published_checkpoint_is_played_as_what_it_is(
    tmp_path: Path, model: str, published: dict[str, Any]
) -> None:
    folder = musicgen(tmp_path / "weights", **published)

    found = find(model, folder, None, None)

    assert found == Checkpoint(model, folder, parts=(folder / "config.json", folder / "model.safetensors"))


@pytest.mark.parametrize(
    ("model", "published", "said"),
    [
        ("musicgen-medium", {"width": 1024}, "a checkpoint of size small, not musicgen-medium"),
        ("musicgen-small", {"kind": "musicgen_melody", "width": 1536}, "a musicgen_melody checkpoint"),
        ("musicgen-melody", {"width": 1536}, "a musicgen checkpoint, not musicgen-melody"),
        ("musicgen-small", {"width": 1024, "channels": 2}, "makes 2-channel audio"),
        ("musicgen-stereo-small", {"width": 1024}, "makes 1-channel audio"),
        ("musicgen-small", {"kind": "t5"}, "a t5 checkpoint, not musicgen-small"),
    ],
)
def test_another_models_checkpoint_is_refused_before_it_is_packed(
    tmp_path: Path, model: str, published: dict[str, Any], said: str
) -> None:
    folder = musicgen(tmp_path / "weights", **published)

    with pytest.raises(LocalError, match=said):
        find(model, folder, None, None)


def test_the_two_track_model_is_a_file_and_encodecs_folder(tmp_path: Path) -> None:
    file, codec = trained(tmp_path / "cascade.pt"), encodec(tmp_path / "codec")

    found = find("cascade", None, file, codec)

    assert found.parts == (file, codec / "config.json", codec / "model.safetensors")
    assert found.options == ("--encodec", str(codec))


def test_encodec_may_lie_beside_the_checkpoint(tmp_path: Path) -> None:
    file, codec = trained(tmp_path / "cascade.pt"), encodec(tmp_path / "encodec")

    assert find("cascade", None, file, None).options == ("--encodec", str(codec))


@pytest.mark.parametrize(("model", "kind"), [("cascade", "tracks"), ("musicgen-small", "songs")])
def test_a_packed_folder_is_taken_as_it_is(tmp_path: Path, model: str, kind: str) -> None:
    folder = pack(tmp_path / "pack", kind=kind)

    assert find(model, folder, None, None) == Checkpoint(model, folder, packed=True)


@pytest.mark.parametrize(("model", "kind"), [("cascade", "songs"), ("musicgen-small", "tracks")])
def test_a_pack_of_another_kind_of_model_is_refused(tmp_path: Path, model: str, kind: str) -> None:
    folder = pack(tmp_path / "pack", kind=kind, model="another")

    with pytest.raises(LocalError, match="is a pack of another, not of"):
        find(model, folder, None, None)


def test_what_is_missing_is_said_in_one_line(tmp_path: Path) -> None:
    file, empty = trained(tmp_path / "trained" / "cascade.pt"), tmp_path / "empty"
    empty.mkdir()
    named: list[tuple[tuple[str, Path | None, Path | None, Path | None], str]] = [
        (("cascade", None, None, None), "MODEL=cascade needs CHECKPOINT=file"),
        (("cascade", None, tmp_path / "none.pt", None), "none.pt is no file"),
        (("cascade", None, file, None), "needs ENCODEC=folder"),
        (("cascade", None, file, empty), "holds no EnCodec checkpoint"),
        (("musicgen-small", None, None, None), "needs WEIGHTS=folder; `make weights MODEL=musicgen-small`"),
        (("musicgen-small", tmp_path / "none", None, None), "is no folder"),
        (("musicgen-small", empty, None, None), "holds no checkpoint"),
        (("musicgen-small", None, file, None), "CHECKPOINT=file is for MODEL=cascade"),
        (("jukebox", None, None, None), "MODEL=jukebox cannot be played here"),
    ]

    for arguments, said in named:
        with pytest.raises(LocalError, match=said) as caught:
            find(*arguments)
        assert "\n" not in str(caught.value)


def test_a_damaged_description_is_said_to_be_one(tmp_path: Path) -> None:
    folder = musicgen(tmp_path / "weights")
    (folder / "config.json").write_text("[")

    with pytest.raises(LocalError, match="cannot be read as JSON"):
        find("musicgen-small", folder, None, None)
