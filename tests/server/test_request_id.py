"""Request ids: whose are kept, and what ours look like."""

from __future__ import annotations

import re

import pytest

from lasso_trio.server import request_id


def test_ids_made_here_are_hexadecimal_and_differ() -> None:
    ids = [request_id.made() for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(re.fullmatch(r"[0-9a-f]{20}", each) for each in ids)
    assert request_id.sane(ids[0]) == ids[0]


@pytest.mark.parametrize("given", ["a", "A-z_0.9:/+=@", "x" * 200])
def test_sane_ones_are_kept(given: str) -> None:
    assert request_id.sane(given) == given


@pytest.mark.parametrize("given", ["", "x" * 201, "a b", "a\n", "a\r\nset-cookie: x", '"', "é", "a\x00"])
def test_what_might_break_a_header_or_a_log_line_is_not(given: str) -> None:
    assert request_id.sane(given) is None
