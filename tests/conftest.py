"""Hypothesis profiles, chosen by HYPOTHESIS_PROFILE: `dev` by default, `ci` under CI, `fuzz` by `nox -s fuzz`.
And what was not run, at the end of every run.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Two shared cores make single examples slow now and then: a deadline would report the machine, not the code.
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True, print_blob=True)
settings.register_profile("fuzz", max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") == "true" else "dev"))

RECURSION_LIMIT = sys.getrecursionlimit()
FUZZED = ("config", "jsonrpc", "server", "upstream")


def pytest_collection_finish() -> None:
    """A test client's library (py_ecc, by eth-account) raises the limit for the whole process; a node runs without."""
    sys.setrecursionlimit(RECURSION_LIMIT)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`nox -s fuzz` repeats the property tests of the rooms that read what others wrote: bytes, JSON, profiles."""
    for item in items:
        is_property = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
        if is_property and item.path.relative_to(Path(__file__).parent).parts[0] in FUZZED:
            item.add_marker("fuzz")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Read from the reports: under xdist the tests run in other processes, and only these come back."""
    skipped = terminalreporter.stats.get("skipped", [])
    for reason, count in sorted(Counter(why(report) for report in skipped).items()):
        terminalreporter.write_line(f"!! NOT RUN: {reason} (skipped: {count})", red=True, bold=True)


def why(report: pytest.TestReport) -> str:
    """The reason of a skip, which pytest keeps behind file and line."""
    assert isinstance(report.longrepr, tuple)
    return report.longrepr[2].removeprefix("Skipped: ")
