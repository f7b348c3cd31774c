"""Conventions that every family keeps (prometheus.io/docs/practices/naming), and what may be a label."""

from __future__ import annotations

import re

import pytest

from lasso_trio.metrics.registry import BY_NAME, ROOMS
from lasso_trio.telemetry.prometheus import Family, Kind

LABELS = {"profile", "chain", "provider", "upstream", "transport", "method", "state", "reason", "outcome", "kind",
          "phase", "where", "percentile", "version", "python", "lane", "client", "worker", "what",
          "direction"}  # fmt: skip


def test_every_name_is_there_once() -> None:
    families = [family for room in ROOMS.values() for family in room]
    assert len({family.name for family in families}) == len(families) == len(BY_NAME)


@pytest.mark.parametrize("family", BY_NAME.values(), ids=BY_NAME)
def test_names_follow_the_conventions(family: Family) -> None:
    assert re.fullmatch(r"lasso_[a-z]+(_[a-z]+)*", family.name)
    assert family.name.endswith("_total") is (family.kind is Kind.COUNTER)
    assert not re.search(r"_(ms|milliseconds|kb|mb|kib|mib|minutes|percent)\b", family.name)
    assert set(family.labels) <= LABELS
    assert family.help.endswith(".")
    assert not set(family.help) & set("\\\n")  # written as it is
