"""A model's folder on this machine: found, told apart, and packed once for the engine.

Knows files and the engine's packing command. Must not know how the engine is served.
"""

import contextlib
import hashlib
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from local import ROOT, LocalError
from local.environments import Say

MANIFEST = "pack.json"  # marks a packed folder
TELL_SECONDS = 5.0


@dataclass(frozen=True)
class Weights:
    """`folder` is what the user names, a published checkpoint or a packed one; packs are kept in `packs`."""

    folder: Path
    packs: Path

    def packed(self, python: Path, say: Say) -> Path:
        """The packed folder, after packing a checkpoint that was not packed before. Raises LocalError."""
        if not self.folder.is_dir():
            raise LocalError(f"WEIGHTS={self.folder} is no folder.")
        if (self.folder / MANIFEST).exists():
            return self.folder.resolve()
        if not (self.folder / "config.json").exists() or not self._tensors():
            raise LocalError(
                f"{self.folder} holds no checkpoint: config.json and *.safetensors are expected."
            )
        target = (self.packs / self._digest()).resolve()
        if not (target / MANIFEST).exists():
            self._pack(python, target, say)
        return target

    def _tensors(self) -> list[Path]:
        return sorted(self.folder.glob("*.safetensors"))

    def _digest(self) -> str:
        """What tells two checkpoints apart without reading gigabytes at every start."""
        digest = hashlib.sha256((self.folder / "config.json").read_bytes())
        for file in self._tensors():
            stat = file.resolve().stat()
            digest.update(f"{file.name} {stat.st_size} {stat.st_mtime_ns}\0".encode())
        for file in sorted((ROOT / "model_container").rglob("*.py")):
            if file.parent.name in ("graphs", "native", "model_container"):
                digest.update(file.read_bytes())  # a newer engine may pack otherwise
        return digest.hexdigest()[:20]

    def _pack(self, python: Path, target: Path, say: Say) -> None:
        say(f"Packing {self.folder} into {target}, once …")
        target.parent.mkdir(parents=True, exist_ok=True)
        log = target.with_name(target.name + ".log")
        command = [str(python), "-m", "model_container.pack", str(self.folder.resolve()), str(target)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            _watch(process, target.with_name(target.name + ".partial"), say)
        finally:
            process.terminate()
            process.wait()
        if process.returncode != 0:
            raise LocalError(last_line(log, f"{self.folder} could not be packed"))
        log.unlink()


def _watch(process: "subprocess.Popen[bytes]", partial: Path, say: Say) -> None:
    started = time.monotonic()
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(TELL_SECONDS)
            return
        say(f"  {_size(partial) / 1e6:.0f} MB written after {time.monotonic() - started:.0f} s")


def _size(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        with contextlib.suppress(OSError):  # renamed just now
            total += file.stat().st_size
    return total


def last_line(log: Path, otherwise: str) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else otherwise
