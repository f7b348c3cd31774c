"""docs/access.md is true: its examples load, and the reasons it names are those that are given."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lasso_trio.config.loader import load_profile_text

ROOT = Path(__file__).parent.parent.parent
DOCS = (ROOT / "docs" / "access.md").read_text()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_loads_and_closes_its_profile(example: str) -> None:
    assert not load_profile_text(example, "<docs>", {}).access.is_open


def test_every_reason_is_documented() -> None:
    sources = "".join((ROOT / "lasso_trio" / "access" / f"{name}.py").read_text() for name in ("gate", "guard"))
    reasons = set(re.findall(r'(?:unauthorized|forbidden)\("(\w+)"', sources))
    assert len(reasons) == 8
    assert {reason for reason in reasons if f"`{reason}`" not in DOCS} == set()
