"""Cooldown: hints are obeyed, silence doubles, one burst is one event."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.providers.cooldown import (
    FIRST_LONG_S,
    LONGEST_HINT_S,
    LONGEST_LONG_S,
    LONGEST_S,
    QUIET_S,
    Cooldown,
)


@pytest.fixture
def rng() -> Random:
    return Random(1)


def test_a_fresh_one_is_not_active_at_any_time() -> None:
    cooldown = Cooldown()
    assert not cooldown.active(-1e9)
    assert not cooldown.active(0.0)
    assert cooldown.remaining(0.0) == 0.0


def test_a_hint_is_obeyed_as_given(rng: Random) -> None:
    cooldown = Cooldown()
    assert cooldown.begin(10.0, 3.2, rng) == pytest.approx(13.2)
    assert cooldown.active(13.1)
    assert cooldown.remaining(13.0) == pytest.approx(0.2)
    assert not cooldown.active(13.2)


def test_a_hint_of_many_days_is_cut_to_one(rng: Random) -> None:
    assert Cooldown().begin(0.0, 1e6, rng) == LONGEST_HINT_S


@pytest.mark.parametrize("nothing", [None, 0.0, -5.0])
def test_without_a_usable_hint_the_first_delay_is_about_a_second(nothing: float | None, rng: Random) -> None:
    assert Cooldown().begin(0.0, nothing, rng) == pytest.approx(1.0, rel=0.11)


def meet_the_limit_again_and_again(times: int, rng: Random) -> list[float]:
    cooldown, now, delays = Cooldown(), 0.0, []
    for _ in range(times):
        until = cooldown.begin(now, None, rng)
        delays.append(until - now)
        now = until + 0.1
    return delays


def test_each_further_refusal_doubles_the_delay_up_to_five_minutes(rng: Random) -> None:
    expected = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert meet_the_limit_again_and_again(12, rng) == pytest.approx(expected, rel=0.11)


@given(st.integers())
def test_jitter_never_passes_the_cap(seed: int) -> None:
    assert max(meet_the_limit_again_and_again(20, Random(seed))) <= LONGEST_S * (1 + 1e-9)


def test_jitter_spreads_two_proxies() -> None:
    assert Cooldown().begin(0.0, None, Random(1)) != Cooldown().begin(0.0, None, Random(2))


def test_a_burst_of_refusals_is_one_event(rng: Random) -> None:
    cooldown = Cooldown()
    until = cooldown.begin(0.0, None, rng)
    for _ in range(50):
        assert cooldown.begin(0.01, None, rng) == until
    assert cooldown.times == 1
    assert cooldown.begin(until, None, rng) - until == pytest.approx(2.0, rel=0.11)


def test_a_shorter_hint_does_not_shorten_and_a_longer_one_prolongs(rng: Random) -> None:
    cooldown = Cooldown()
    cooldown.begin(0.0, 30.0, rng)
    assert cooldown.begin(1.0, 5.0, rng) == 30.0
    assert cooldown.begin(1.0, 60.0, rng) == 61.0
    assert cooldown.times == 1


def test_after_a_quiet_minute_it_starts_over(rng: Random) -> None:
    cooldown = Cooldown()
    for _ in range(5):
        cooldown.begin(cooldown.until if cooldown.times else 0.0, None, rng)
    late = cooldown.until + QUIET_S + 1
    assert cooldown.begin(late, None, rng) - late == pytest.approx(1.0, rel=0.11)


def test_a_volume_that_is_used_up_waits_from_five_minutes_to_an_hour(rng: Random) -> None:
    cooldown, now, waits = Cooldown(), 0.0, []
    for _ in range(7):
        waits.append(cooldown.begin(now, None, rng, long=True) - now)
        now = cooldown.until + 10 * QUIET_S
    assert waits[0] == pytest.approx(FIRST_LONG_S, rel=0.1)
    assert waits[1] == pytest.approx(2 * FIRST_LONG_S, rel=0.1)
    assert waits[-1] == pytest.approx(LONGEST_LONG_S, rel=0.1)
    assert max(waits) <= LONGEST_LONG_S


def test_that_it_is_the_volume_is_news_during_a_short_cooldown_and_not_the_other_way_round(rng: Random) -> None:
    cooldown = Cooldown()
    short = cooldown.begin(0.0, None, rng)
    long = cooldown.begin(0.0, None, rng, long=True)
    assert long > short + 200
    assert cooldown.begin(1.0, None, rng, long=True) == long
    assert cooldown.begin(1.0, None, rng) == long
    assert cooldown.long
    assert cooldown.begin(long, None, rng) == pytest.approx(long + 1.0, abs=0.2)
    assert not cooldown.long
