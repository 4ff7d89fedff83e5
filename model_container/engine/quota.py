"""How much of this machine is ours: CPUs by affinity and quota, bytes of memory by limit.

Knows Linux's control groups, version 1 and 2. Must not know what runs.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

ROOT = Path("/")


def cpus(root: Path = ROOT) -> int:
    """CPUs that we may keep busy, at least 1: with more threads, the quota stops all of them for a while."""
    available = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, int(min([available, *_quotas(root)])))


def memory(root: Path = ROOT) -> int:
    """Bytes that we may use."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for group in _groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            limits += [int(limit) for limit in _numbers(group / name)]
    return min(limits)


def _quotas(root: Path) -> Iterator[float]:
    """CPUs' worth of time that each control group has, of those that are limited."""
    for group in _groups(root, "cpu"):
        both = _numbers(group / "cpu.max")
        both = both or _numbers(group / "cpu.cfs_quota_us") + _numbers(group / "cpu.cfs_period_us")
        if len(both) == 2 and min(both) > 0:
            yield both[0] / both[1]


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Our control group and all above it; any may be the tightest. A container sees its own as the top."""
    lines: list[str] = []
    with suppress(OSError):
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    for line in lines:
        _, controllers, name = line.split(":", 2)
        top = root / "sys/fs/cgroup" / (controller if controllers else "")
        if controllers and controller not in controllers.split(","):
            continue
        group = top / name.lstrip("/")
        yield from (each for each in (group, *group.parents) if each.is_relative_to(top))


def _numbers(file: Path) -> list[float]:
    """What a control file holds; nothing where it is not there or sets no limit."""
    try:
        return [float(word) for word in file.read_text().split()]
    except (OSError, ValueError):  # the word is "max"
        return []
