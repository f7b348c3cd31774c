from __future__ import annotations

from lasso_trio.check.row import Need, Row
from lasso_trio.check.verdict import passed


def test_a_row_wants_what_it_needs_and_what_it_uses() -> None:
    row = Row("X1", "x", "docs/x.md", lambda _: passed(""), {Need.GIT}, {Need.NODE})
    assert row.wants == {Need.GIT, Need.NODE}
    assert not row.is_online
    assert Row("X2", "x", "docs/x.md", lambda _: passed(""), {Need.LOAD}).is_online
