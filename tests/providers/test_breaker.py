"""The breaker's life: thresholds by category, growing recovery, one probe at a time, no lost places."""

from __future__ import annotations

from random import Random

import attrs
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lasso_trio.providers.breaker import (
    ISOLATED,
    JITTER,
    PROBE_LEASE_S,
    SHARED,
    TRANSITIONS_KEPT,
    Breaker,
    State,
    Transition,
)
from lasso_trio.providers.catalogue import VERDICTS, Category
from tests.providers.breakers import RNG, fail, opened

COUNTING = [c for c in Category if VERDICTS[c].counts and c not in ISOLATED.ignored]
"""What may open a breaker at all."""


def half_open() -> tuple[Breaker, float]:
    breaker = opened()
    now = breaker.until
    assert breaker.state(now) is State.HALF_OPEN
    return breaker, now


@pytest.mark.parametrize(
    ("category", "threshold"),
    [
        (Category.SERVER_ERROR, 5),
        (Category.NETWORK_ERROR, 3),
        (Category.TIMEOUT, 2),
        (Category.AUTH_ERROR, 3),
        (Category.INTERNAL_ERROR, 5),
    ],
)
def test_each_category_opens_at_its_own_threshold(category: Category, threshold: int) -> None:
    breaker = Breaker()
    fail(breaker, category, threshold - 1)
    assert breaker.state(0.0) is State.CLOSED
    assert breaker.failure(category, 0.0, RNG) is True
    assert breaker.state(0.0) is State.OPEN
    assert breaker.reason == category


def test_the_latest_category_sets_the_threshold() -> None:
    breaker = Breaker()
    fail(breaker, Category.SERVER_ERROR, 4)
    fail(breaker, Category.TIMEOUT, 1)
    assert breaker.state(0.0) is State.OPEN


def test_a_success_forgives_the_failures_before_it() -> None:
    breaker = Breaker()
    for minute in range(10):
        fail(breaker, Category.SERVER_ERROR, 4, 60.0 * minute)
        assert breaker.success(60.0 * minute) is False
    assert breaker.state(0.0) is State.CLOSED
    assert breaker.failures == 0


@pytest.mark.parametrize("category", [c for c in Category if c not in COUNTING])
def test_what_is_not_the_providers_illness_never_opens(category: Category) -> None:
    breaker = Breaker()
    fail(breaker, category, 100)
    assert breaker.state(0.0) is State.CLOSED
    assert breaker.failures == 0


def test_a_shared_instance_does_not_count_timeouts_but_counts_the_rest() -> None:
    breaker = Breaker(SHARED)
    fail(breaker, Category.TIMEOUT, 10)
    assert breaker.state(0.0) is State.CLOSED
    fail(breaker, Category.NETWORK_ERROR, 3)
    assert breaker.state(0.0) is State.OPEN


def test_open_refuses_until_its_deadline_and_tells_how_long() -> None:
    breaker = opened(now=100.0)
    assert 160.0 <= breaker.until <= 160.0 + 60.0 * JITTER
    assert not breaker.admit(breaker.until - 0.001)
    assert breaker.retry_after(130.0) == pytest.approx(breaker.until - 130.0)
    assert breaker.admit(breaker.until)
    assert breaker.retry_after(breaker.until) == 0.0


def test_failures_while_open_do_not_prolong() -> None:
    breaker = opened()
    until = breaker.until
    assert breaker.failure(Category.SERVER_ERROR, 30.0, RNG) is False
    assert breaker.until == until


# The ratio


def busy(
    breaker: Breaker, calls: int, every: int, category: Category = Category.SERVER_ERROR, span: float = 5.0
) -> int:
    """Calls evenly over `span` seconds, each `every`-th one fails; how many were made before it opened."""
    for n in range(1, calls + 1):
        now = 100.0 + span * n / calls
        if n % every:
            breaker.success(now)
        elif breaker.failure(category, now, RNG):
            return n
    return calls


def test_half_of_ten_calls_open_it_though_never_two_failed_in_a_row() -> None:
    breaker = Breaker()
    assert busy(breaker, 40, 2) == 10
    assert (breaker.state(105.0), breaker.reason) == (State.OPEN, "server_error")
    assert breaker.transitions[-1].detail == "5 of 10 calls in 10 s"


def test_a_third_of_the_calls_does_not() -> None:
    breaker = Breaker()
    assert busy(breaker, 600, 3) == 600
    assert breaker.state(105.0) is State.CLOSED


def test_half_of_the_calls_spread_over_minutes_does_not() -> None:
    breaker = Breaker()
    assert busy(breaker, 40, 2, span=120.0) == 40


def test_a_timeout_is_half_a_failure() -> None:
    breaker = Breaker()
    assert busy(breaker, 200, 2, Category.TIMEOUT) == 200


def test_the_share_that_a_timeout_counts_for_adds_up() -> None:
    breaker = Breaker(attrs.evolve(ISOLATED, by_category={}, failures=1000))
    assert busy(breaker, 40, 1, Category.TIMEOUT) == 10
    assert breaker.transitions[-1].detail == "5 of 10 calls in 10 s"


def test_a_key_refused_for_half_of_the_calls_is_no_illness() -> None:
    """A plan without `trace_` refuses those with 403, and answers the rest."""
    breaker = Breaker()
    assert busy(breaker, 200, 2, Category.AUTH_ERROR) == 200


def test_what_led_to_opening_is_forgotten_when_it_closes() -> None:
    breaker = Breaker()
    busy(breaker, 40, 2)
    now = breaker.until
    breaker.success(now)
    breaker.success(now)
    fail(breaker, Category.SERVER_ERROR, 4, now)
    assert breaker.state(now) is State.CLOSED


# Recovery


def test_closed_it_admits_everybody() -> None:
    breaker = Breaker()
    assert all(breaker.admit(0.0) for _ in range(100))


def test_half_open_admits_one_at_a_time() -> None:
    breaker, now = half_open()
    assert breaker.admit(now)
    assert not breaker.admit(now)
    assert breaker.success(now) is False
    assert breaker.admit(now)
    assert not breaker.admit(now)


def test_two_successes_close_and_forget_everything() -> None:
    breaker, now = half_open()
    breaker.success(now)
    assert breaker.success(now) is True
    assert breaker.state(now) is State.CLOSED
    assert (breaker.failures, breaker.reason) == (0, "")
    fail(breaker, Category.SERVER_ERROR, 4)
    assert breaker.state(now) is State.CLOSED


def test_each_failed_recovery_doubles_the_next_up_to_ten_minutes() -> None:
    breaker, now, delays = opened(), 0.0, []
    for _ in range(7):
        delays.append(breaker.until - now)
        now = breaker.until
        assert breaker.admit(now)
        assert breaker.failure(Category.SERVER_ERROR, now, RNG) is True
    for delay, base in zip(delays, [60, 120, 240, 480, 600, 600, 600], strict=True):
        assert base <= delay <= base * (1 + JITTER)


def test_after_closing_the_next_recovery_is_short_again() -> None:
    breaker, now = half_open()
    breaker.failure(Category.SERVER_ERROR, now, RNG)
    now = breaker.until
    breaker.admit(now)
    breaker.success(now)
    breaker.success(now)
    fail(breaker, Category.SERVER_ERROR, 5, now)
    assert 60.0 <= breaker.until - now <= 63.0


def test_a_cancelled_probe_gives_its_place_back() -> None:
    breaker, now = half_open()
    assert breaker.admit(now)
    breaker.cancelled(now)
    assert breaker.admit(now)


def test_a_probe_that_met_a_rate_limit_gives_its_place_back_without_a_verdict() -> None:
    breaker, now = half_open()
    assert breaker.admit(now)
    assert breaker.failure(Category.RATE_LIMIT, now, RNG) is False
    assert breaker.state(now) is State.HALF_OPEN
    assert breaker.admit(now)


def test_a_probe_that_never_reports_does_not_hold_its_place_for_ever() -> None:
    breaker, now = half_open()
    assert breaker.admit(now)
    assert not breaker.admit(now + PROBE_LEASE_S - 1)
    assert breaker.admit(now + PROBE_LEASE_S)


def test_a_failure_of_a_call_from_before_is_no_news_to_a_half_open_breaker() -> None:
    breaker, now = half_open()
    assert breaker.admit(now)
    assert breaker.failure(Category.TIMEOUT, now, RNG, started=now - 50) is False
    assert breaker.state(now) is State.HALF_OPEN
    assert not breaker.admit(now), "the probe is still under way"
    assert breaker.failure(Category.TIMEOUT, now + 1, RNG, started=now) is True


def test_the_end_of_a_call_from_before_does_not_free_the_probes_place() -> None:
    breaker, now = half_open()
    assert breaker.admit(now)
    breaker.cancelled(now - 50)
    assert not breaker.admit(now)


@given(st.floats(0, 1e7), st.floats(0, 600))
def test_a_start_that_was_computed_back_from_the_end_is_still_news(at: float, seconds: float) -> None:
    breaker = Breaker()
    fail(breaker, Category.SERVER_ERROR, 5, at)
    started = breaker.until
    assert breaker.admit(started)
    now = started + seconds
    assert breaker.failure(Category.SERVER_ERROR, now, RNG, now - seconds) is True


def test_successes_from_elsewhere_close_an_open_breaker_in_two_steps() -> None:
    breaker = opened()
    assert breaker.success(1.0) is True
    assert breaker.state(1.0) is State.HALF_OPEN
    assert breaker.success(2.0) is True
    assert breaker.state(2.0) is State.CLOSED


def test_a_success_that_was_under_way_when_it_opened_does_not_end_it() -> None:
    breaker = Breaker()
    fail(breaker, Category.SERVER_ERROR, 5, 10.0)
    assert breaker.success(10.5, 9.9) is False
    assert breaker.state(10.5) is State.OPEN
    assert breaker.admit(breaker.until)
    assert breaker.success(breaker.moved_at + 1, 9.9) is False  # nor does it count when its time is over
    assert breaker.success(10.6, 10.1) is False
    assert breaker.state(10.6) is State.HALF_OPEN
    assert breaker.success(11.0, 10.2) is True


def test_every_transition_is_told_and_the_last_ones_are_kept() -> None:
    told: list[Transition] = []
    breaker = Breaker(on_transition=told.append)
    fail(breaker, Category.TIMEOUT, 2, 5.0)
    assert [(t.at, t.before, t.after, t.reason, t.failures) for t in told] == [
        (5.0, State.CLOSED, State.OPEN, "timeout", 2)
    ]
    assert told[0].retry_after_s == pytest.approx(breaker.until - 5.0)
    breaker.state(breaker.until)
    assert told[-1].after is State.HALF_OPEN
    for _ in range(50):
        breaker.failure(Category.TIMEOUT, 1e6, RNG)
        breaker.state(breaker.until)
    assert len(breaker.transitions) == TRANSITIONS_KEPT
    assert list(breaker.transitions) == told[-TRANSITIONS_KEPT:]
    assert breaker.opened_total == sum(t.after is State.OPEN for t in told)


@given(st.integers(), st.sampled_from(COUNTING))
def test_jitter_only_ever_adds_and_at_most_five_percent(seed: int, category: Category) -> None:
    breaker = Breaker()
    assert any(breaker.failure(category, 0.0, Random(seed)) for _ in range(5))
    base = 300.0 if category is Category.AUTH_ERROR else 60.0
    assert base <= breaker.until <= base * (1 + JITTER)


class AnyHistory(RuleBasedStateMachine):
    """Whatever order calls begin and end in, at most one probe is out and the breaker never gets stuck."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker()
        self.out: list[float] = []

    @rule(seconds=st.floats(min_value=0, max_value=700))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.out = [t for t in self.out if self.now - t < PROBE_LEASE_S]

    @rule()
    def call(self) -> None:
        before = self.breaker.state(self.now)
        if self.breaker.admit(self.now):
            assert before is not State.OPEN
            self.out.append(self.now)

    @precondition(lambda self: self.out)
    @rule(category=st.sampled_from(Category), good=st.booleans())
    def end(self, category: Category, good: bool) -> None:
        started = self.out.pop(0)
        if good:
            self.breaker.success(self.now, started)
        else:
            self.breaker.failure(category, self.now, RNG, started)

    @precondition(lambda self: self.out)
    @rule()
    def cancel(self) -> None:
        self.breaker.cancelled(self.out.pop(0))

    @invariant()
    def open_always_ends(self) -> None:
        if self.breaker.state(self.now) is State.OPEN:
            assert 0 < self.breaker.retry_after(self.now) <= (3600 if self.breaker.quarantined else 600) * (1 + JITTER)

    @invariant()
    def a_recovering_breaker_always_admits_again(self) -> None:
        if self.breaker.state(self.now) is State.HALF_OPEN and not self.out:
            assert self.breaker.admit(self.now)
            self.breaker.cancelled(self.now)


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = hypothesis_settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_its_name_tells_its_state() -> None:
    assert repr(opened()) == "<Breaker open failures=5>"


def test_stalls_that_end_side_by_side_are_not_in_a_row_with_calls_answered_meanwhile() -> None:
    breaker = Breaker()
    for at in range(100):
        breaker.success(at / 100, started=at / 100 - 0.01)
    for _ in range(3):
        breaker.failure(Category.TIMEOUT, 1.0, RNG, started=0.0)
    assert breaker.state(1.0) is State.CLOSED
    for started in (1.1, 1.2):
        breaker.failure(Category.TIMEOUT, 2.5, RNG, started=started)
    assert breaker.state(2.5) is State.OPEN
