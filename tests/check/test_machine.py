from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lasso_trio.check import machine
from lasso_trio.check.facts import GitSeen
from lasso_trio.check.machine import RUNBOOK, SHIPPED, look_at_git, look_at_machine, look_at_shipped, source_folder

SECRET = "a-secret-that-nobody-knows-and-that-is-long-enough-to-be-taken-for-one"


def git(*words: str) -> None:
    subprocess.run(["git", *words], check=True)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    git("init", "--quiet")
    (tmp_path / "readme").write_text("hello\n")
    (tmp_path / ".env").write_text(f"SECRET_KEY_BASE={SECRET}\n")
    git("add", "readme")
    return tmp_path


async def test_a_secret_that_git_does_not_know_is_well_kept(repository: Path) -> None:
    assert await look_at_git(SECRET) == GitSeen(works=True)


async def test_a_secret_in_a_tracked_file_is_found(repository: Path) -> None:
    git("add", "-f", ".env")
    assert await look_at_git(SECRET) == GitSeen(True, True, (".env",))


async def test_a_secret_is_never_on_a_command_line(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    really = machine.trio.run_process

    async def run_process(command: list[str], **rest: Any) -> subprocess.CompletedProcess[bytes]:
        commands.append(command)
        return await really(command, **rest)

    monkeypatch.setattr(machine.trio, "run_process", run_process)
    await look_at_git(SECRET)
    assert [command[1] for command in commands] == ["ls-files", "grep"]
    assert SECRET not in str(commands)


async def test_without_git_a_repository_or_a_secret_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert await look_at_git(SECRET) == GitSeen()
    assert await look_at_git("") == GitSeen()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await look_at_git(SECRET) == GitSeen()


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
