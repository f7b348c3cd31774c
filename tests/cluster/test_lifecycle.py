"""What becomes of an address, exchange by exchange."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.cluster.address import Address
from lasso_trio.cluster.lifecycle import (
    CHECK_S,
    FAILURES,
    LOOK_AGAIN_S,
    REMEMBERED_S,
    RETRY_S,
    SILENCE_S,
    UNKNOWN_S,
    Peer,
    Sign,
    State,
)


def peer() -> Peer:
    return Peer(Address("127.0.0.2", 4000), 100.0)


def fail(peer: Peer, sign: Sign, now: float, times: int = FAILURES) -> Peer:
    for _ in range(times):
        peer.failed("why", sign, now)
    return peer


def test_an_answer_makes_it_responding_from_wherever_it_was() -> None:
    for before in State:
        one = peer()
        one.state = before
        one.answered("us-east-1", "u1", 105.0)
        assert (one.state, one.live, one.node_id, one.uid) == (State.RESPONDING, True, "us-east-1", "u1")
        assert (one.failures, one.reason, one.answered_at) == (0, "", 105.0)


@pytest.mark.parametrize("sign", Sign)
def test_two_failures_do_not_take_a_responding_node_away(sign: Sign) -> None:
    one = peer()
    one.answered("a", "u", 100.0)
    assert fail(one, sign, 101.0, FAILURES - 1).live
    one.answered("a", "u", 102.0)
    assert fail(one, sign, 103.0, FAILURES - 1).live


def test_the_third_says_disconnected_where_nobody_is_and_unresponsive_otherwise() -> None:
    assert fail(peer(), Sign.GONE, 101.0).state is State.DISCONNECTED
    assert fail(peer(), Sign.SILENT, 101.0).state is State.UNRESPONSIVE
    assert fail(peer(), Sign.THERE, 101.0).state is State.UNRESPONSIVE


def test_silence_is_disconnected_after_another_minute_and_a_refusal_never() -> None:
    for sign, end in ((Sign.SILENT, State.DISCONNECTED), (Sign.THERE, State.UNRESPONSIVE)):
        one = fail(peer(), sign, 101.0)
        one.failed("why", sign, 101.0 + SILENCE_S - 1)
        assert (one.state, one.since) == (State.UNRESPONSIVE, 101.0)
        one.failed("why", sign, 101.0 + SILENCE_S)
        assert one.state is end


def test_whoever_says_no_is_there() -> None:
    one = peer()
    one.failed("secret", Sign.THERE, 101.0)
    assert (one.state, one.reason, one.node_id) == (State.CONNECTED, "secret", None)
    gone = fail(peer(), Sign.GONE, 101.0)
    gone.failed("secret", Sign.THERE, 102.0)
    assert (gone.state, gone.failures) == (State.CONNECTED, 1)


def test_the_dead_are_remembered_for_a_day_once_dns_has_forgotten_them() -> None:
    one = peer()
    one.answered("a", "u", 100.0)
    fail(one, Sign.GONE, 101.0)
    assert not one.forgettable(101.0 + REMEMBERED_S)
    one.listed = False
    assert not one.forgettable(99.0 + REMEMBERED_S)
    assert one.forgettable(100.0 + REMEMBERED_S)


def test_a_name_that_never_was_a_node_goes_when_dns_takes_it_back() -> None:
    for sign in (Sign.GONE, Sign.SILENT):
        one = fail(peer(), sign, 101.0)
        assert not one.forgettable(101.0)
        one.listed = False
        assert one.forgettable(101.0)
    fresh = peer()
    fresh.listed = False
    assert not fresh.forgettable(101.0)  # it has not been asked often enough to be sure


def test_who_is_suspected_is_asked_again_soon_and_who_is_dead_as_often_as_dns_is() -> None:
    def longest(one: Peer) -> float:
        return max(one.delay(Random(seed)) for seed in range(200))

    responding, suspected = peer(), peer()
    responding.answered("a", "u", 100.0)
    suspected.failed("deadline", Sign.SILENT, 100.0)
    dead, unlisted = fail(peer(), Sign.GONE, 100.0), fail(peer(), Sign.GONE, 100.0)
    unlisted.listed = False
    wanted = [CHECK_S, RETRY_S, LOOK_AGAIN_S, UNKNOWN_S]
    for one, constant in zip([responding, suspected, dead, unlisted], wanted, strict=True):
        assert 0.95 * constant < longest(one) <= constant


@given(st.lists(st.tuples(st.sampled_from([None, *Sign]), st.floats(0, 100))))
def test_it_is_live_exactly_when_it_answered_and_did_not_fail_three_times_since(
    steps: list[tuple[Sign | None, float]],
) -> None:
    one, now, failures, known = peer(), 100.0, 0, False
    for sign, pause in steps:
        now += pause
        if sign is None:
            one.answered("a", "u", now)
            failures, known = 0, True
        else:
            one.failed("why", sign, now)
            failures += 1
        assert one.live == (known and failures < FAILURES)
        assert one.since <= now
        assert 0 < one.delay(Random(1)) <= UNKNOWN_S
    assert repr(one).startswith("<Peer ")
