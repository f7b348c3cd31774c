from __future__ import annotations

from pathlib import Path

import pytest

from lasso_trio.check import machine
from lasso_trio.check.machine import RUNBOOK, SHIPPED, look_at_machine, look_at_shipped, source_folder


def test_the_machine_has_a_cpu_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = look_at_machine()
    assert seen.cpus >= 1
    assert seen.memory > 1 << 20

    def unknown(_: str) -> int:
        raise ValueError

    monkeypatch.setattr(machine.os, "sysconf", unknown)
    assert look_at_machine().memory == 0


def test_shipped_files_are_those_of_the_checkout_unless_another_place_is_given(tmp_path: Path) -> None:
    assert set(look_at_shipped(None, None).files) == set(SHIPPED)
    assert look_at_shipped(tmp_path, None).files == {}
    assert look_at_shipped(tmp_path, None).runbook is None
    assert source_folder(tmp_path) == tmp_path


def test_a_runbook_of_ones_own_is_read(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / RUNBOOK).write_text("theirs")
    (tmp_path / "mine.md").write_text("mine")
    assert look_at_shipped(tmp_path, None).runbook == "theirs"
    assert look_at_shipped(tmp_path, tmp_path / "mine.md").runbook == "mine"
