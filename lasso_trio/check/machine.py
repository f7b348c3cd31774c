"""What this machine has, and which files of the source are at hand. No node is asked."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from lasso_trio.check.facts import MachineSeen, ShippedSeen
from lasso_trio.check.health import LOGS, RULES
from lasso_trio.check.recovery import SETTINGS_PAGE

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
