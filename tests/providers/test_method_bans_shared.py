"""Bans that another process met with."""

from __future__ import annotations

from lasso_trio.providers.method_bans import KEPT, NEXT_S, MethodBans


def test_a_ban_from_elsewhere_holds_until_the_same_moment() -> None:
    mine = MethodBans()
    assert mine.adopt("trace_block", 600.0)
    assert mine.banned("trace_block", 599.0)
    assert not mine.banned("trace_block", 600.0)


def test_the_later_end_of_two_bans_holds() -> None:
    mine = MethodBans()
    mine.adopt("trace_block", 600.0)
    assert not mine.adopt("trace_block", 500.0)
    assert not mine.adopt("trace_block", 600.0)
    assert mine.adopt("trace_block", 700.0)
    assert mine.until == {"trace_block": 700.0}


def test_an_answer_elsewhere_lifts_it() -> None:
    mine = MethodBans()
    mine.adopt("trace_block", 600.0)
    assert mine.adopt("trace_block", None)
    assert not mine.adopt("trace_block", None)
    assert not mine.banned("trace_block", 0.0)


def test_a_ban_from_elsewhere_was_the_first_time() -> None:
    mine = MethodBans()
    mine.adopt("trace_block", 600.0)
    mine.ban("trace_block", 700.0)
    assert mine.until["trace_block"] == 700.0 + NEXT_S


def test_names_from_elsewhere_are_bounded_too() -> None:
    mine = MethodBans()
    for number in range(KEPT + 1):
        mine.adopt(f"m{number}", 600.0)
    assert len(mine.until) == KEPT
    assert "m0" not in mine.until
