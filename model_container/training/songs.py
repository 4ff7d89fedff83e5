"""Songs as samples: any file that FFmpeg's libraries read, as 24 kHz mono 16-bit, decoded once and kept.

Knows PyAV and files. Must not know pairs or models.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from model_container.training.copies import Picture, alike, picture
from model_container.training.recipe import TrainingError

RATE = 24_000  # samples a second: EnCodec's
SUFFIXES = {".wav", ".mp3", ".flac", ".m4a", ".aac", ".ogg", ".opus", ".aif", ".aiff", ".mp4", ".wma"}

Samples = NDArray[np.int16]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Song:
    """A song's samples in a file; `key` is the digest of what it was decoded from."""

    key: str
    path: Path
    length: int  # samples

    def samples(self) -> Samples:
        """Mapped, not read."""
        samples: Samples = np.load(self.path, mmap_mode="r")
        return samples


def find(folder: Path) -> list[Path]:
    """Every song below a folder. Raises TrainingError when there is none."""
    if not folder.is_dir():
        raise TrainingError(f"{folder} is not a folder")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise TrainingError(f"{folder} holds no songs ({', '.join(sorted(SUFFIXES))})")
    return found


def decoded(files: Iterable[Path], cache: Path, tell: Tell) -> Iterator[Song]:
    """Each different recording, decoded into `cache` once. Copies and what cannot be read are told of."""
    cache.mkdir(parents=True, exist_ok=True)
    seen: dict[str, Path] = {}
    pictures: dict[Path, Picture] = {}
    for file in files:
        key = _digest(file)
        if key in seen:
            tell(f"{file} is the same as {seen[key]}; left out")
            continue
        seen[key] = file
        try:
            song = _song(file, key, cache / f"{key}.npy")
        except TrainingError as error:
            tell(f"{error}; left out")
            continue
        seems = picture(song.samples(), RATE)
        twin = None if seems is None else _twin(seems, pictures)
        if twin is not None:
            tell(f"{file} sounds the same as {twin}; left out")
            continue
        if seems is not None:
            pictures[file] = seems
        yield song


def _song(file: Path, key: str, target: Path) -> Song:
    if not target.exists():
        _store(decode(file), target)
    return Song(key, target, int(np.load(target, mmap_mode="r").size))


def _twin(seems: Picture, pictures: dict[Path, Picture]) -> Path | None:
    return next((file for file, other in pictures.items() if alike(seems, other)), None)


def decode(file: Path) -> Samples:
    """24 kHz mono. Raises TrainingError if the file holds no sound that can be read."""
    resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
    parts: list[Samples] = []
    try:
        with av.open(str(file)) as container:
            if not container.streams.audio:
                raise TrainingError(f"{file} holds no audio")
            for frame in container.decode(audio=0):
                frame.pts = None  # the files' clocks have gaps and jumps; the samples follow each other
                parts += (each.to_ndarray()[0] for each in resampler.resample(frame))
            parts += (each.to_ndarray()[0] for each in resampler.resample(None))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise TrainingError(f"{file} cannot be decoded: {error}") from error
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:32]


def _store(samples: Samples, target: Path) -> None:
    partial = target.with_suffix(".partial.npy")
    np.save(partial, samples)
    partial.replace(target)
