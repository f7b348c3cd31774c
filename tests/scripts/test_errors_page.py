"""The page of errors is the file of errors, always."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from lasso_trio.providers.catalogue import build, current

SCRIPT = Path(__file__).parents[2] / "scripts" / "errors_page.py"


@pytest.fixture(scope="module")
def page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("errors_page", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_not_stale(page: ModuleType) -> None:
    stale = "docs/errors.md is stale: run `python scripts/errors_page.py`"
    assert page.PAGE.read_text(encoding="utf-8") == page.render(current()) + "\n", stale


def test_every_row_and_every_text_is_on_it(page: ModuleType) -> None:
    text = page.render(current())
    for rows in current().rows.values():
        for row in rows:
            assert f"| `{row.name}` |" in text
            assert all(f"`{part}`" in text for part in (*row.text, *row.also, *row.unless, *row.data))


def test_a_changed_row_changes_the_page(page: ModuleType) -> None:
    fewer = build({**current().rows, "text": current().rows["text"][1:]})
    assert page.render(fewer) != page.render(current())
