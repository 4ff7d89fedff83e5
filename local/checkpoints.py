"""A model's files as a person names them: found, told apart, and refused in one line when they are not right.

Knows how published checkpoints look from outside. Must not know how they are packed or served.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import LocalError

MANIFEST = "pack.json"  # marks a packed folder
CASCADE = "cascade"
MUSICGEN = "musicgen-"
SIZES = {1024: "small", 1536: "medium or melody", 2048: "large"}  # by the width of the decoder
NAMED_AS = {"small": 1024, "medium": 1536, "melody": 1536, "large": 2048}


@dataclass(frozen=True)
class Checkpoint:
    """source: a packed folder, or what `python -m model_container.pack` takes; then `parts` tell its content,
    and `options` are that command's."""

    model: str
    source: Path
    packed: bool = False
    parts: tuple[Path, ...] = ()
    options: tuple[str, ...] = ()


def find(model: str, weights: Path | None, checkpoint: Path | None, encodec: Path | None) -> Checkpoint:
    """The checkpoint of this model. Raises LocalError."""
    if model == CASCADE:
        return _tracks(checkpoint or weights, encodec)
    if not model.startswith(MUSICGEN):
        raise LocalError(f"MODEL={model} cannot be played here; {CASCADE} and {MUSICGEN}… can.")
    if checkpoint is not None:
        raise LocalError(f"CHECKPOINT=file is for MODEL={CASCADE}; {model} needs WEIGHTS=folder.")
    return _songs(model, weights)


def _tracks(named: Path | None, encodec: Path | None) -> Checkpoint:
    if named is None:
        raise LocalError(f"MODEL={CASCADE} needs CHECKPOINT=file, and EnCodec's ENCODEC=folder.")
    if (named / MANIFEST).exists():
        return _packed(CASCADE, named)
    if not named.is_file():
        raise LocalError(f"CHECKPOINT={named} is no file.")
    codec = encodec or named.parent / "encodec"
    if not (codec / "config.json").is_file() or not _tensors(codec):
        missing = "no EnCodec checkpoint: config.json and *.safetensors are expected"
        raise LocalError(
            f"ENCODEC={codec} holds {missing}."
            if encodec
            else f"MODEL={CASCADE} needs ENCODEC=folder, with EnCodec for 24 kHz; {codec} is none."
        )
    options = ("--encodec", str(codec.resolve()))
    return Checkpoint(CASCADE, named, parts=(named, *_files(codec)), options=options)


def _songs(model: str, folder: Path | None) -> Checkpoint:
    if folder is None:
        raise LocalError(f"MODEL={model} needs WEIGHTS=folder; `make weights MODEL={model}` fetches one.")
    if not folder.is_dir():
        raise LocalError(f"WEIGHTS={folder} is no folder.")
    if (folder / MANIFEST).exists():
        return _packed(model, folder)
    if not (folder / "config.json").exists() or not _tensors(folder):
        raise LocalError(f"{folder} holds no checkpoint: config.json and *.safetensors are expected.")
    _expect_kind(model, folder)
    return Checkpoint(model, folder, parts=_files(folder))


def _packed(model: str, folder: Path) -> Checkpoint:
    found = _json(folder / MANIFEST)
    kind = "tracks" if model == CASCADE else "songs"
    if found.get("kind", kind) != kind:
        raise LocalError(f"{folder} is a pack of {found.get('model')}, not of {model}.")
    return Checkpoint(model, folder.resolve(), packed=True)


def _expect_kind(model: str, folder: Path) -> None:
    """A melody model's words, channels and width are its own: another's would be played under its name."""
    config = _json(folder / "config.json")
    kind, decoder = str(config.get("model_type")), config.get("decoder") or {}
    if not kind.startswith("musicgen"):
        raise LocalError(f"{folder} holds a {kind} checkpoint, not {model}.")
    if kind.endswith("melody") != ("melody" in model):
        raise LocalError(f"{folder} holds a {kind} checkpoint, not {model}.")
    channels = decoder.get("audio_channels", 1)
    if channels != (2 if "stereo" in model else 1):
        raise LocalError(f"{folder} makes {channels}-channel audio; {model} does not.")
    width = decoder.get("hidden_size")
    expected = NAMED_AS.get(model.rpartition("-")[2])
    if width in SIZES and expected is not None and width != expected:
        raise LocalError(f"{folder} holds a checkpoint of size {SIZES[width]}, not {model}.")


def _json(file: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = dict(json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        raise LocalError(f"{file} cannot be read as JSON.") from None
    return found


def _tensors(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def _files(folder: Path) -> tuple[Path, ...]:
    return (folder / "config.json", *_tensors(folder))
