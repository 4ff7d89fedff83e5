"""A packed folder as one file, which is what a serverless endpoint takes: a tar in the form of a gzip.

Nothing is compressed: weights would shrink by 4 to 7 %, and be unpacked at a fifth of the speed, while a song
waits. The same folder gives the same bytes, so that what lies in a bucket can be told by its checksum.

Knows tar. Must not know what the files hold, or where the archive goes.
"""

import gzip
import tarfile
from collections.abc import Mapping
from pathlib import Path

ENDING = ".tar.gz"


def archive(files: Mapping[str, Path], target: Path) -> None:
    """files: by their names in the archive."""
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=0, fileobj=raw, mtime=0) as wrapped,
        tarfile.open(fileobj=wrapped, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for name, path in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = path.stat().st_size
            entry.mode = 0o644  # a serverless endpoint runs the container as a user of its own choice
            with path.open("rb") as content:
                tar.addfile(entry, content)
