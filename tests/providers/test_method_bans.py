from __future__ import annotations

from lasso_trio.providers.method_bans import FIRST_S, KEPT, NEXT_S, MethodBans

NOW = 1000.0


def test_nothing_is_banned_until_it_was_missing() -> None:
    assert not MethodBans().banned("eth_call", NOW)


def test_a_missing_method_is_banned_for_ten_minutes_and_the_others_are_not() -> None:
    bans = MethodBans()
    assert bans.ban("trace_block", NOW)
    assert bans.banned("trace_block", NOW + FIRST_S - 1)
    assert not bans.banned("trace_block", NOW + FIRST_S)
    assert not bans.banned("eth_call", NOW)


def test_missing_again_it_is_banned_for_an_hour() -> None:
    bans = MethodBans()
    bans.ban("trace_block", NOW)
    again = NOW + FIRST_S
    assert bans.ban("trace_block", again)
    assert bans.current(again) == {"trace_block": NEXT_S}


def test_a_burst_of_refusals_is_one_and_does_not_prolong() -> None:
    bans = MethodBans()
    bans.ban("trace_block", NOW)
    assert not bans.ban("trace_block", NOW + 100)
    assert bans.current(NOW + 100) == {"trace_block": FIRST_S - 100}


def test_an_answer_lifts_it_and_forgets_the_first_time() -> None:
    bans = MethodBans()
    bans.ban("trace_block", NOW)
    assert bans.lift("trace_block")
    assert not bans.lift("trace_block")
    bans.ban("trace_block", NOW)
    assert bans.current(NOW) == {"trace_block": FIRST_S}


def test_names_without_end_are_not_kept_and_the_newest_are() -> None:
    bans = MethodBans()
    for n in range(3 * KEPT):
        bans.ban(f"m{n}", NOW)
    assert len(bans.until) == KEPT
    assert bans.banned(f"m{3 * KEPT - 1}", NOW)


def test_ended_bans_are_not_shown() -> None:
    bans = MethodBans()
    bans.ban("trace_block", NOW)
    assert bans.current(NOW + FIRST_S) == {}
