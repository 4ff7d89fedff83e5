"""How every benchmark speaks: readable lines while it works, one JSON object as its last line."""

import argparse
import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle and the ends of repeated measurements."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g}–{self.high:.3g})"

    def times(self, factor: float) -> "Spread":
        return Spread(self.median * factor, self.low * factor, self.high * factor)

    def rounded(self, digits: int = 3) -> list[float]:
        """[median, min, max]."""
        return [round(value, digits) for value in (self.median, self.low, self.high)]


def parser(prog: str, description: str | None) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=f"python -m bench.{prog}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--quick", action="store_true", help="a tiny run, to see that it works; no figures")
    return made


def say(text: str) -> None:
    print(text, flush=True)


def machine() -> str:
    """What the figures were taken on, and how busy it was with other things."""
    load = os.getloadavg()[0]
    cores = os.cpu_count()
    return f"{cores} cores {platform.machine()}, Python {platform.python_version()}, load {load:.1f}"


def conclude(figures: Mapping[str, object]) -> None:
    print(json.dumps({**figures, "machine": machine()}), flush=True)
