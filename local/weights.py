"""A checkpoint packed for the engine, once: later runs find the pack by what it was made of.

Knows the packing command. Must not know what a checkpoint holds, or how the engine is served.
"""

import contextlib
import hashlib
import subprocess
import time
from pathlib import Path

from local import ROOT, LocalError
from local.checkpoints import CASCADE, MANIFEST, Checkpoint
from local.environments import ENGINE, PACKING, REFERENCE, Say

TELL_SECONDS = 5.0
PACKERS = ("graphs", "native", "cascade", "tracks", "model_container")


def packed(checkpoint: Checkpoint, packs: Path, say: Say) -> Path:
    """The packed folder, after packing what was not packed before. Raises LocalError."""
    if checkpoint.packed:
        return checkpoint.source
    target = (packs / _digest(checkpoint)).resolve()
    if not (target / MANIFEST).exists():
        _pack(checkpoint, target, say)
    return target


def _digest(checkpoint: Checkpoint) -> str:
    """What tells two checkpoints apart without reading gigabytes at every start."""
    digest = hashlib.sha256(checkpoint.model.encode())
    for file in checkpoint.parts:
        if file.suffix == ".json":
            digest.update(file.read_bytes())
        stat = file.resolve().stat()
        digest.update(f"{file.name} {stat.st_size} {stat.st_mtime_ns}\0".encode())
    for file in sorted((ROOT / "model_container").rglob("*.py")):
        if file.parent.name in PACKERS:
            digest.update(file.read_bytes())  # a newer engine may pack otherwise
    return digest.hexdigest()[:20]


def _packer(checkpoint: Checkpoint, say: Say) -> Path:
    """Two-track checkpoints are written with torch, and torch reads them; where it is already, it serves."""
    if checkpoint.model != CASCADE:
        return ENGINE.ensure(say)
    return (REFERENCE if REFERENCE.ready else PACKING).ensure(say)


def _pack(checkpoint: Checkpoint, target: Path, say: Say) -> None:
    python = _packer(checkpoint, say)
    say(f"Packing {checkpoint.source} into {target}, once …")
    target.parent.mkdir(parents=True, exist_ok=True)
    log = target.with_name(target.name + ".log")
    command = [str(python), "-m", "model_container.pack", str(checkpoint.source.resolve()), str(target)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *checkpoint.options],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        _watch(process, target.with_name(target.name + ".partial"), say)
    finally:
        process.terminate()
        process.wait()
    if process.returncode != 0:
        raise LocalError(last_line(log, f"{checkpoint.source} could not be packed"))
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
