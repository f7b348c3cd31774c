from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.check import git as its
from lasso_trio.check.facts import GitSeen
from lasso_trio.check.git import Search, look_at_git

SECRET = "a-secret-that-nobody-knows-and-that-is-long-enough-to-be-taken-for-one"


def git(*words: str) -> str:
    command = ["git", "-c", "user.name=n", "-c", "user.email=e@example", *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def commit(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    git("add", "-f", name)
    git("commit", "--quiet", "-m", "a change", name)


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
    assert await look_at_git(SECRET) == GitSeen(works=True, whole=True)


async def test_a_secret_in_a_tracked_file_is_found(repository: Path) -> None:
    git("add", "-f", ".env")
    assert await look_at_git(SECRET) == GitSeen(True, True, (".env",))


async def test_the_whole_repository_is_looked_at_from_wherever_in_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "deploy").mkdir()
    monkeypatch.chdir(repository / "deploy")
    git("add", "-f", "../.env")
    assert await look_at_git(SECRET) == GitSeen(True, True, (".env",))
    monkeypatch.chdir(repository)
    git("rm", "--quiet", "--cached", ".env")
    commit(repository, "other/readme", f"it is {SECRET}")
    monkeypatch.chdir(repository / "deploy")
    assert await look_at_git(SECRET) == GitSeen(True, False, ("other/readme",))


async def test_a_secret_that_was_taken_out_again_is_found_in_the_history(repository: Path) -> None:
    commit(repository, "config", f"key: {SECRET}\n")
    brought = git("rev-parse", "--short", "HEAD")
    commit(repository, "config", "key: elsewhere\n")
    git("checkout", "--quiet", "-b", "another")
    seen = await look_at_git(SECRET)
    assert (seen.works, seen.holding, seen.whole) == (True, (), False)
    assert seen.committed in {brought, git("rev-parse", "--short", "HEAD")}


async def test_a_history_that_was_read_to_its_end_is_told_from_one_that_was_not(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(repository, "config", "hello\n")
    assert await look_at_git(SECRET) == GitSeen(works=True, whole=True)
    monkeypatch.setattr(its, "HISTORY_S", 0.0)
    assert await look_at_git(SECRET) == GitSeen(works=True, whole=False)


async def test_bytes_that_are_no_text_are_looked_for_too(repository: Path) -> None:
    assert (await look_at_git(os.fsdecode(b"\xff" * 64))).works


@given(st.binary(max_size=400), st.lists(st.integers(1, 400), max_size=6), st.integers(0, 400))
def test_a_secret_is_found_however_the_history_is_cut(noise: bytes, cuts: list[int], at: int) -> None:
    head, tail = noise[:at], noise[at:]
    history = b"\x00commit one\x00\n%b\x00commit two\x00\n+secret of mine%b\x00commit three\x00" % (head, tail)
    search, start = Search(b"secret of mine"), 0
    for cut in [*sorted(cuts), len(history)]:
        search.feed(history[start:cut])
        start = max(start, cut)
    assert search.found == "two"


def test_what_is_in_no_commit_is_not_found() -> None:
    search = Search(b"secret of mine")
    search.feed(b"\x00commit one\x00 secret of")
    search.feed(b" yours")
    assert search.found == ""
    assert "mine" not in repr(search)


async def test_a_secret_is_never_on_a_command_line(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    really = its.trio.run_process

    async def run_process(command: list[str], **rest: Any) -> subprocess.CompletedProcess[bytes]:
        commands.append(command)
        return await really(command, **rest)

    monkeypatch.setattr(its.trio, "run_process", run_process)
    await look_at_git(SECRET)
    assert [command[1] for command in commands] == ["ls-files", "grep", "log"]
    assert SECRET not in str(commands)


async def test_without_git_a_repository_or_a_secret_nothing_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert await look_at_git(SECRET) == GitSeen()
    assert await look_at_git("") == GitSeen()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await look_at_git(SECRET) == GitSeen()
