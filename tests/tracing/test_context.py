"""Trace contexts as the recommendation writes them, and as nobody should."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.tracing.context import LONGEST_STATE, Parent, lines_of, parent_of

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("header", "sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f" 00-{TRACE}-{SPAN}-02 ", False),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-adds", True),
    ],
)
def test_a_parent_is_read(header: str, sampled: bool) -> None:
    assert parent_of(header, "a=1,b=2") == Parent(int(TRACE, 16), int(SPAN, 16), sampled, "a=1,b=2")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
    ],
)
def test_what_is_no_parent_counts_as_none(header: str) -> None:
    assert parent_of(header) is None


@pytest.mark.parametrize("state", ["a=\x7f", "a=é", "a=" + "x" * LONGEST_STATE])
def test_a_state_that_cannot_be_passed_on_is_left_out(state: str) -> None:
    parent = parent_of(f"00-{TRACE}-{SPAN}-01", state)
    assert parent is not None
    assert parent.state == ""


@pytest.mark.parametrize("state", ["", "a=1,b=2"])
def test_what_the_next_one_is_told_can_be_read_again(state: str) -> None:
    lines = lines_of(int(TRACE, 16), int(SPAN, 16), state).decode().splitlines()
    told = dict(line.split(": ") for line in lines)
    assert parent_of(told["traceparent"], told.get("tracestate", "")) == Parent(
        int(TRACE, 16), int(SPAN, 16), True, state
    )


@given(st.text(max_size=80), st.text(max_size=40))
def test_whatever_is_sent_is_read_or_passed_over(header: str, state: str) -> None:
    parent = parent_of(header, state)
    assert parent is None or (parent.trace_id > 0 and parent.span_id > 0)
