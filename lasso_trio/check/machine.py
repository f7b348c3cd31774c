"""What this machine has, what git tracks here, and which files of the source are at hand. No node is asked."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from subprocess import DEVNULL
from typing import Final

import trio

from lasso_trio.check.facts import GitSeen, MachineSeen, ShippedSeen
from lasso_trio.check.health import LOGS, RULES
from lasso_trio.check.recovery import SETTINGS_PAGE

GIT_S: Final = 10.0
MOST_BYTES: Final = 1024 * 1024
RUNBOOK: Final = "docs/runbook.md"
SHIPPED: Final = ("Containerfile", RULES, *LOGS, SETTINGS_PAGE)


def look_at_machine() -> MachineSeen:
    """CPUs that this process may use, memory and free disk where it stands."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        memory = 0
    return MachineSeen(len(os.sched_getaffinity(0)), memory, shutil.disk_usage(".").free)


def source_folder(given: Path | None) -> Path:
    """Where the files that come with the source are: as given, or the checkout that this package runs from."""
    return given or Path(__file__).resolve().parents[2]


def look_at_shipped(source: Path | None, runbook: Path | None) -> ShippedSeen:
    folder = source_folder(source)
    texts = {name: text for name in SHIPPED if (text := _text(folder / name)) is not None}
    return ShippedSeen(texts, _text(runbook or folder / RUNBOOK))


def _text(path: Path) -> str | None:
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            return stream.read(MOST_BYTES)
    except OSError:
        return None


async def look_at_git(secret: str) -> GitSeen:
    """Which tracked files hold `secret`, and whether `.env` is one of them. The secret is told by stdin only."""
    if not secret or "\n" in secret:
        return GitSeen()
    with trio.move_on_after(GIT_S):
        tracked = await _git("ls-files", "--error-unmatch", ".env")
        holding = await _git("grep", "--name-only", "--fixed-strings", "-f", "-", stdin=secret)
        if tracked is not None and holding is not None and holding[0] in (0, 1):  # 1: none
            return GitSeen(True, tracked[0] == 0, tuple(holding[1].splitlines()))
    return GitSeen()


async def _git(*words: str, stdin: str = "") -> tuple[int, str] | None:
    """Exit code and output; None where there is no git."""
    try:
        done = await trio.run_process(
            ["git", *words], stdin=stdin.encode(), capture_stdout=True, stderr=DEVNULL, check=False
        )
    except OSError:
        return None
    return done.returncode, done.stdout.decode(errors="replace")
