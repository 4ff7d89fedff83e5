"""What a packed folder says of itself.

Knows pack.json. Must not know what else lies there.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from model_container.engine.config import CheckpointError

FORMAT = 1
MANIFEST = "pack.json"

Kind = Literal["songs", "tracks"]


@dataclass(frozen=True)
class Manifest:
    """kind: songs by MusicGen, or two tracks to one. revision: which weights these are."""

    kind: Kind = "songs"
    model: str = "musicgen"
    revision: str | None = None
    weights: str = "int8"

    def write(self, folder: Path) -> None:
        (folder / MANIFEST).write_text(json.dumps({"format": FORMAT, **asdict(self)}))

    @staticmethod
    def read(folder: Path) -> "Manifest":
        """Raises CheckpointError if the folder is no pack, or one of another format."""
        try:
            found = json.loads((folder / MANIFEST).read_text())
            format = found.pop("format")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{folder} is not a packed model: {error}") from error
        if format != FORMAT:
            raise CheckpointError(
                f"{folder} was packed in format {format}; this engine reads {FORMAT}: pack it again"
            )
        try:
            return Manifest(**found)
        except TypeError as error:
            raise CheckpointError(f"{folder / MANIFEST} holds something unknown: {error}") from error
