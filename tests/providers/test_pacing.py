"""Pacing: nothing until the first refusal; halved, grown, forgotten; never below its floor, never for ever."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lasso_trio.providers.pacing import (
    FLOOR_PER_S,
    FORGET_S,
    HEADROOM,
    HOLD_S,
    KNOWN_FOR_S,
    RECOVERY_S,
    Pacing,
)

NOW = 1000.0


def paced(rate: float = 10.0, now: float = NOW) -> Pacing:
    pacing = Pacing()
    pacing.refused(now, 2 * rate)
    assert pacing.rate == rate
    return pacing


def test_an_instance_that_never_refused_has_no_pace() -> None:
    pacing = Pacing()
    pacing.answered(NOW)
    assert not pacing.sent(NOW)
    assert (pacing.rate, pacing.over(NOW), pacing.times) == (None, False, 0)


def test_the_first_refusal_halves_what_it_had_been_answering() -> None:
    assert paced(10.0).times == 1


def test_who_refuses_at_once_is_asked_at_the_floor() -> None:
    pacing = Pacing()
    assert pacing.refused(NOW, 0.0)
    assert pacing.rate == FLOOR_PER_S


def test_each_further_refusal_halves_again_and_a_burst_of_them_once() -> None:
    pacing = paced(10.0)
    assert not pacing.refused(NOW + HOLD_S / 2, 0.0)
    assert pacing.refused(NOW + HOLD_S, 0.0)
    assert (pacing.rate, pacing.times) == (5.0, 2)


def test_it_grows_back_to_what_was_too_much_in_a_minute_of_use() -> None:
    pacing = paced(10.0)
    for second in range(1, int(RECOVERY_S) + 1):
        pacing.answered(NOW + second)
    assert pacing.rate == pytest.approx(20.0)


def test_time_without_calls_is_no_growth() -> None:
    pacing = paced(10.0)
    pacing.answered(NOW + RECOVERY_S)
    assert pacing.rate == pytest.approx(10.0 + 10.0 / RECOVERY_S)


def test_far_beyond_what_was_too_much_or_after_long_peace_it_is_forgotten() -> None:
    grown = paced(10.0)
    for second in range(1, 422):
        grown.answered(NOW + second)
    assert grown.rate is None
    quiet = paced(10.0)
    quiet.sent(NOW)
    quiet.answered(NOW + FORGET_S)
    assert quiet.rate is not None
    quiet.answered(NOW + FORGET_S + 1)
    assert (quiet.rate, quiet.over(NOW)) == (None, False)


# What the provider names


def test_a_limit_that_was_named_is_kept_below_at_once() -> None:
    pacing = Pacing()
    assert pacing.refused(NOW, 500.0, 50.0)
    assert (pacing.rate, pacing.known) == (50.0 * HEADROOM, 50.0)


def test_it_does_not_grow_beyond_that_for_an_hour() -> None:
    pacing = Pacing()
    pacing.refused(NOW, 500.0, 50.0)
    for minute in range(59):
        pacing.answered(NOW + 60 * minute)
    assert pacing.rate == 50.0 * HEADROOM
    pacing.answered(NOW + KNOWN_FOR_S + 1)
    assert pacing.rate is None


def test_a_named_limit_that_is_refused_still_is_halved_like_any_other() -> None:
    pacing = Pacing()
    pacing.refused(NOW, 500.0, 50.0)
    assert pacing.refused(NOW + 10, 50.0, 50.0)
    assert pacing.rate == 25.0 * HEADROOM


def test_a_named_limit_above_the_pace_raises_nothing() -> None:
    pacing = paced(10.0)
    assert not pacing.refused(NOW + 0.5, 20.0, 1000.0)
    assert pacing.rate == 10.0


def test_a_named_limit_below_the_floor_is_the_floor() -> None:
    pacing = Pacing()
    pacing.refused(NOW, 5.0, 0.1)
    pacing.refused(NOW + 10, 5.0)
    assert pacing.rate == pytest.approx(0.1 * HEADROOM)


@pytest.mark.parametrize("nonsense", [0.0, -1.0, 1e9])
def test_nonsense_is_not_believed(nonsense: float) -> None:
    pacing = Pacing()
    pacing.refused(NOW, 20.0, nonsense)
    assert (pacing.rate, pacing.known) == (10.0, None)


# Keeping to it


def test_it_is_over_from_the_first_call_too_many_until_half_a_burst_is_free_again() -> None:
    pacing = paced(10.0)
    now = NOW + 10
    assert [pacing.sent(now) for _ in range(12)] == [False] * 9 + [True] + [False] * 2
    assert pacing.over(now)
    assert not pacing.over(pacing.until)
    assert pacing.until - now == pytest.approx((5 + 2) / 10)


def test_calls_at_the_pace_are_never_over_it() -> None:
    pacing = paced(10.0)
    assert not any(pacing.sent(NOW + 1 + n / 9.5) for n in range(200))


@given(
    st.lists(st.tuples(st.sampled_from(["refused", "named", "sent", "answered"]), st.floats(0, 30)), max_size=80),
    st.floats(0, 5000),
    st.floats(1, 5000),
)
@hypothesis_settings(deadline=None)
def test_whatever_happens_the_floor_holds_and_it_is_soon_within_its_pace_again(
    steps: list[tuple[str, float]], observed: float, named: float
) -> None:
    pacing, now = Pacing(), NOW
    for what, wait in steps:
        now += wait
        match what:
            case "refused":
                pacing.refused(now, observed)
            case "named":
                pacing.refused(now, observed, named)
            case "sent":
                pacing.sent(now)
            case "answered":
                pacing.answered(now)
        assert pacing.rate is None or pacing.rate >= min(FLOOR_PER_S, named * HEADROOM)
        assert pacing.until - now <= 2 / FLOOR_PER_S + 1e-6


@given(st.floats(0.5, 200), st.floats(1, 1000))
@example(rate=0.9375, offered=1.0)
@hypothesis_settings(deadline=None, max_examples=30)
def test_asked_only_within_its_pace_it_gets_the_pace_and_at_most_a_burst_more(rate: float, offered: float) -> None:
    pacing, now, sent = paced(rate), NOW, 0
    while now < NOW + 20:
        now += 1 / offered
        if not pacing.over(now):
            pacing.sent(now)
            sent += 1
    assert sent <= 20 * rate + max(1.0, rate) + 1
    # Calls that come just faster than the pace, one by one: every second one finds it kept.
    assert sent >= 0.5 * min(rate, offered) * 20 - 1
