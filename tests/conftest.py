"""Hypothesis profiles, chosen by HYPOTHESIS_PROFILE: `dev` by default, `ci` under CI, `fuzz` by `nox -s fuzz`."""

from __future__ import annotations

import os
import sys
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
