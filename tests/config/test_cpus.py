"""What a container was given counts, and what the scheduler allows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lasso_trio.config.cpus import usable_cpus


@pytest.fixture(autouse=True)
def sixteen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)


def test_without_a_quota_it_is_what_the_scheduler_allows(tmp_path: Path) -> None:
    assert usable_cpus(tmp_path) == 16
    assert usable_cpus() >= 1


def test_where_the_scheduler_does_not_say_it_is_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cpus(tmp_path) == 1


@pytest.mark.parametrize(
    ("told", "cpus"),
    [("max 100000", 16), ("150000 100000", 2), ("200000 100000", 2), ("20000 100000", 1), ("9900000 100000", 16),
     ("200000 0", 16), ("", 16), ("much 100000", 16)],
)  # fmt: skip
def test_a_quota_counts_rounded_up(tmp_path: Path, told: str, cpus: int) -> None:
    (tmp_path / "cpu.max").write_text(told + "\n")
    assert usable_cpus(tmp_path) == cpus


@pytest.mark.parametrize(("quota", "cpus"), [("-1", 16), ("250000", 3)])
def test_a_quota_of_the_first_version_counts_as_well(tmp_path: Path, quota: str, cpus: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert usable_cpus(tmp_path) == cpus
