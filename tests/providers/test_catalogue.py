"""The catalogue as a table: every row has an error that was seen, and that error is judged by its row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from lasso_trio.providers.catalogue import SECTIONS, SHIPPED, Catalogue, CatalogueError, build, current, load, use
from lasso_trio.providers.classify import classify
from lasso_trio.providers.limit_texts import read_limits

FIXTURES = Path(__file__).with_name("errors.jsonl")


class Seen(msgspec.Struct, forbid_unknown_fields=True):
    """A line of errors.jsonl: who said it, with which HTTP status, and which row it belongs to."""

    row: str
    vendor: str
    status: int = 200
    method: str | None = None
    error: dict[str, Any] | None = None
    body: str = ""


SEEN = [msgspec.json.decode(line, type=Seen) for line in FIXTURES.read_bytes().splitlines()]
ROWS = [row for rows in current().rows.values() for row in rows]


@pytest.mark.parametrize("seen", SEEN, ids=[f"{seen.row}-{seen.vendor}" for seen in SEEN])
def test_what_was_seen_is_judged_by_its_row(seen: Seen) -> None:
    if seen.error is None:
        verdict = classify(seen.status, None, seen.body, None, (), seen.method)
    else:
        error = seen.error
        verdict = classify(seen.status, error["code"], error["message"], error.get("data"), (), seen.method)
    assert verdict.row == seen.row
    row = next(row for row in ROWS if row.name == seen.row)
    assert verdict.error_class in (row.error_class, row.sent)


def test_no_row_is_without_an_error_that_was_seen() -> None:
    assert {row.name for row in ROWS} - {seen.row for seen in SEEN} == set()


@pytest.mark.parametrize("error_class", ["rate_limit", "quota", "client_fault", "revert", "split", "capability",
                                         "missing", "pruned", "transaction_known", "transaction_refused"])  # fmt: skip
def test_what_is_not_the_providers_fault_never_counts(error_class: str) -> None:
    rules = [rule for _, rule in current().fragments] + list(current().codes.values())
    judged = [verdict for rule in rules for verdict in (rule.verdict, rule.sent) if verdict.error_class == error_class]
    assert judged
    assert not any(verdict.counts for verdict in judged)


def test_swapping_returns_what_was_in_force() -> None:
    fresh = load(SHIPPED)
    before = use(fresh)
    assert current() is fresh
    assert use(before) is fresh
    assert current() is before


def test_a_file_that_is_wrong_leaves_the_old_one_serving(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("[[text]]\nname = 3\n")
    before = current()
    with pytest.raises(CatalogueError):
        load(bad)
    assert current() is before


def test_rows_compile_in_the_order_of_the_file() -> None:
    again: Catalogue = build(current().rows)
    assert [fragment for fragment, _ in again.fragments] == [fragment for fragment, _ in current().fragments]
    assert list(again.rows) == list(SECTIONS)
    assert "rows" in repr(again)


TAUGHT = {
    "blocks": "range",
    "suggested": "suggested",
    "earliest": "archive",
    "results": "results",
    "bytes": "size",
    "addresses": "address_count",
    "topics": "topic_count",
}


@pytest.mark.parametrize("seen", [seen for seen in SEEN if seen.error is not None], ids=lambda seen: seen.vendor)
def test_what_a_split_teaches_is_what_its_text_is_read_as(seen: Seen) -> None:
    assert seen.error is not None
    row = next(row for row in ROWS if row.name == seen.row)
    if row.error_class == "split" and (read := read_limits(seen.error["message"])):
        assert TAUGHT[read[0].kind] == row.learning
