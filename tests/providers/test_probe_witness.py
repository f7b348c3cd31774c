from __future__ import annotations

from math import inf
from random import Random

import pytest

from lasso_trio.providers.breaker import Breaker, State
from lasso_trio.providers.classify import Category
from lasso_trio.providers.probe_witness import ALONE_S, QUIET_S, Witness
from tests.providers.breakers import opened

DEAD = Category.NETWORK_ERROR


def half_open(breaker: Breaker) -> float:
    now = breaker.until
    assert breaker.state(now) is State.HALF_OPEN
    return now


def fail(witness: Witness, at: float, in_a_row: int, trial: bool = False) -> None:
    witness.failure(DEAD, at, at, Random(1), in_a_row, trial)


def test_one_failure_is_an_accident_and_the_following_open_the_breaker() -> None:
    witness = Witness(Breaker())
    fail(witness, 0.0, 1)
    assert witness.breaker.failures == 0
    for n in range(2, 5):
        fail(witness, 12.0 * n, n)
    assert witness.breaker.state(48.0) is State.OPEN


@pytest.mark.parametrize("category", [Category.UNKNOWN_ERROR, Category.UNCLASSIFIED_SERVER_ERROR])
def test_an_error_that_nobody_knows_is_the_providers_own_when_a_probe_is_told_it(category: Category) -> None:
    witness = Witness(Breaker())
    for n in range(1, 7):
        witness.failure(category, 12.0 * n, 12.0 * n, Random(1), n, False)
    assert (witness.breaker.state(72.0), witness.breaker.reason) == (State.OPEN, category)


def test_our_own_limits_are_nobodys_fault_however_often_a_probe_meets_them() -> None:
    witness = Witness(Breaker())
    for n in range(1, 20):
        witness.failure(Category.LOCAL_CAPACITY, 12.0 * n, 12.0 * n, Random(1), n, False)
    assert witness.breaker.state(240.0) is State.CLOSED


def test_accidents_with_successes_between_them_never_add_up() -> None:
    witness = Witness(Breaker())
    for n in range(20):
        fail(witness, 100.0 * n, 1)
        fail(witness, 100.0 * n + 12, 2)
        witness.success(100.0 * n + 24, 100.0 * n + 24, trial=False)
    assert (witness.breaker.state(5000.0), witness.breaker.failures) == (State.CLOSED, 0)


def test_a_closed_breaker_that_calls_fail_on_is_not_soothed_by_probes() -> None:
    witness = Witness(Breaker())
    witness.breaker.failure(DEAD, 0.0, Random(1))
    witness.success(1.0, 1.0, trial=False)
    assert witness.breaker.failures == 1


def test_who_saw_it_fail_may_say_that_it_is_back() -> None:
    witness = Witness(Breaker())
    for n in range(1, 5):
        fail(witness, float(n), n)
    witness.success(10.0, 10.0, trial=False)
    assert witness.breaker.state(10.0) is State.HALF_OPEN
    assert witness.take_trial(10.0)
    witness.success(10.0, 10.0, trial=True)
    assert witness.breaker.state(10.0) is State.CLOSED


def test_who_saw_nothing_does_not_hurry_an_open_breaker_and_vouches_once() -> None:
    witness = Witness(opened())
    witness.success(1.0, 1.0, trial=witness.take_trial(1.0))
    assert witness.breaker.state(1.0) is State.OPEN
    now = half_open(witness.breaker)
    assert witness.take_trial(now)
    witness.success(now, now, trial=True)
    assert witness.breaker.state(now) is State.HALF_OPEN
    assert not witness.take_trial(now + ALONE_S - 0.1)


def test_what_no_call_decides_is_closed_by_a_second_round() -> None:
    witness = Witness(opened())
    now = half_open(witness.breaker)
    assert say_it_lives(witness, now) is State.HALF_OPEN
    assert witness.due(now) == now + ALONE_S
    assert say_it_lives(witness, now + ALONE_S) is State.CLOSED
    assert witness.due(now + ALONE_S) == inf


@pytest.mark.parametrize("category", [Category.NETWORK_ERROR, Category.TIMEOUT])
def test_who_died_and_came_back_between_two_rounds_is_let_back_by_two_rounds(category: Category) -> None:
    witness = Witness(opened(category))
    assert witness.due(2.0) == 2.0
    assert say_it_lives(witness, 2.0) is State.HALF_OPEN
    assert say_it_lives(witness, 2.1) is State.HALF_OPEN  # the same round
    assert say_it_lives(witness, 4.0) is State.CLOSED


def test_an_answer_to_what_was_asked_before_it_opened_is_no_news() -> None:
    witness = Witness(opened(Category.NETWORK_ERROR, 5.0))
    witness.success(4.9, 5.1, trial=False)
    assert witness.breaker.state(5.1) is State.OPEN


def test_who_answers_probes_and_fails_calls_again_waits_out_its_time() -> None:
    witness = Witness(opened(Category.NETWORK_ERROR))
    say_it_lives(witness, 2.0)
    assert say_it_lives(witness, 4.0) is State.CLOSED
    for _ in range(3):
        witness.breaker.failure(DEAD, 5.0, Random(1))
    until = witness.breaker.until
    assert until >= 65.0
    assert say_it_lives(witness, 30.0) is State.OPEN
    assert witness.due(30.0) == until
    witness.breaker.state(until)
    for _ in range(2):
        witness.breaker.success(until)
    for _ in range(3):
        witness.breaker.failure(DEAD, 2.0 + QUIET_S, Random(1))
    assert say_it_lives(witness, 3.0 + QUIET_S) is State.HALF_OPEN


def test_a_quarantine_is_never_ended_by_a_probe() -> None:
    witness = Witness(opened(Category.AUTH_ERROR))
    witness.saw_failure()
    assert say_it_lives(witness, 2.0) is State.OPEN
    assert witness.due(2.0) == witness.breaker.until


def say_it_lives(witness: Witness, at: float) -> State:
    """A good answer to a probe, and the breaker's state after it."""
    witness.success(at, at, trial=witness.take_trial(at))
    return witness.breaker.state(at)


def test_the_half_open_place_is_not_taken_from_a_call() -> None:
    witness = Witness(opened())
    now = half_open(witness.breaker)
    assert witness.breaker.admit(now)
    assert not witness.take_trial(now)


def test_a_failed_trial_opens_it_again() -> None:
    witness = Witness(opened())
    now = half_open(witness.breaker)
    fail(witness, now, 1, trial=witness.take_trial(now))
    assert witness.breaker.state(now) is State.OPEN


def test_what_is_no_illness_leaves_the_place_free() -> None:
    witness = Witness(opened())
    now = half_open(witness.breaker)
    assert witness.take_trial(now)
    witness.failure(Category.LOCAL_CAPACITY, now, now, Random(1), 1, trial=True)
    assert witness.breaker.admit(now)


def test_failures_seen_elsewhere_count_as_seen() -> None:
    witness = Witness(opened())
    witness.saw_failure()
    witness.success(1.0, 1.0, trial=False)
    assert witness.breaker.state(1.0) is State.HALF_OPEN
