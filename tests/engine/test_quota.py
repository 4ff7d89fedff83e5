"""Control groups of both versions, and the groups above ours."""

import os
from pathlib import Path

import pytest

from model_container.engine import quota

GROUPS = "sys/fs/cgroup"
GIB = 1 << 30


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight CPUs and 16 GiB."""
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 16 * GIB // 4096}
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(os, "sysconf", sizes.__getitem__)


def tree(root: Path, own: str, files: dict[str, object]) -> Path:
    for name, text in {"proc/self/cgroup": own, **files}.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    return root


def test_without_control_groups_all_of_the_machine_is_ours(tmp_path: Path) -> None:
    assert (quota.cpus(tmp_path), quota.memory(tmp_path)) == (8, 16 * GIB)


def test_a_container_of_version_2_sees_its_limits_at_the_top(tmp_path: Path) -> None:
    limits: dict[str, object] = {f"{GROUPS}/cpu.max": "250000 100000", f"{GROUPS}/memory.max": 3 * GIB}

    root = tree(tmp_path, "0::/", limits)

    assert (quota.cpus(root), quota.memory(root)) == (2, 3 * GIB)


def test_a_container_of_version_1_has_another_name_outside(tmp_path: Path) -> None:
    limits: dict[str, object] = {
        f"{GROUPS}/cpu/cpu.cfs_quota_us": 300_000,
        f"{GROUPS}/cpu/cpu.cfs_period_us": 100_000,
        f"{GROUPS}/memory/memory.limit_in_bytes": 2 * GIB,
    }

    root = tree(tmp_path, "5:cpu,cpuacct:/docker/1f\n4:memory:/docker/1f\n1:name=systemd:/docker/1f", limits)

    assert (quota.cpus(root), quota.memory(root)) == (3, 2 * GIB)


@pytest.mark.parametrize("tight", ["", "/service", "/service/job"])
def test_the_tightest_of_all_groups_above_counts(tmp_path: Path, tight: str) -> None:
    every = {f"{GROUPS}{group}": (600_000, 8 * GIB) for group in ("", "/service", "/service/job")}
    every[f"{GROUPS}{tight}"] = (400_000, GIB)
    limits: dict[str, object] = {f"{group}/cpu.max": f"{cpu} 100000" for group, (cpu, _) in every.items()}
    limits |= {f"{group}/memory.max": memory for group, (_, memory) in every.items()}

    root = tree(tmp_path, "0::/service/job", limits)

    assert (quota.cpus(root), quota.memory(root)) == (4, GIB)


@pytest.mark.parametrize(
    ("own", "cpu", "memory"),
    [
        ("0::/", {"cpu.max": "max 100000"}, {"memory.max": "max"}),
        (
            "2:cpu:/\n3:memory:/",
            {"cpu/cpu.cfs_quota_us": -1, "cpu/cpu.cfs_period_us": 100_000},
            {"memory/memory.limit_in_bytes": 9223372036854771712},
        ),
    ],
)
def test_no_limit_is_none(
    tmp_path: Path, own: str, cpu: dict[str, object], memory: dict[str, object]
) -> None:
    root = tree(tmp_path, own, {f"{GROUPS}/{name}": text for name, text in (cpu | memory).items()})

    assert (quota.cpus(root), quota.memory(root)) == (8, 16 * GIB)


def test_less_than_a_cpu_is_one(tmp_path: Path) -> None:
    root = tree(tmp_path, "0::/", {f"{GROUPS}/cpu.max": "50000 100000"})

    assert quota.cpus(root) == 1


def test_a_name_that_leads_out_of_our_view_is_no_reason_to_fail(tmp_path: Path) -> None:
    root = tree(tmp_path, "0::/../../other", {f"{GROUPS}/cpu.max": "200000 100000"})

    assert quota.cpus(root) == 2
