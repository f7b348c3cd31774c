from __future__ import annotations

from random import Random

import pytest

from lasso_trio.providers.head import ChainCheck
from lasso_trio.providers.probe_schedule import EXTRAS, FORGET_EVERY, IDLE_S, ProbeSchedule, ProbeStatus, Question

RIGHT = ChainCheck.RIGHT


def test_the_first_round_and_every_tenth_ask_for_everything_the_others_for_the_height() -> None:
    schedule = ProbeSchedule(12.0)
    rounds = [schedule.questions(RIGHT) for _ in range(11)]
    assert rounds[0] == rounds[10] == (Question.CHAIN_ID, Question.HEIGHT, *EXTRAS)
    assert set(rounds[1:10]) == {(Question.HEIGHT,)}


def test_ten_rounds_cost_fifteen_calls() -> None:
    schedule = ProbeSchedule(12.0)
    assert sum(len(schedule.questions(RIGHT)) for _ in range(100)) == 150


def test_after_a_failure_the_chain_is_asked_for_again() -> None:
    schedule = ProbeSchedule(12.0)
    schedule.questions(RIGHT)
    schedule.failed(Random(1))
    assert schedule.questions(RIGHT)[0] is Question.CHAIN_ID


def test_a_wrong_chain_is_asked_for_nothing_else() -> None:
    assert ProbeSchedule(12.0).questions(ChainCheck.WRONG) == (Question.CHAIN_ID,)


def test_until_the_chain_is_known_every_round_asks_for_it() -> None:
    schedule = ProbeSchedule(12.0)
    assert {schedule.questions(ChainCheck.PENDING)[0] for _ in range(5)} == {Question.CHAIN_ID}


def test_what_is_not_there_is_not_asked_again_for_long() -> None:
    schedule = ProbeSchedule(12.0)
    schedule.questions(RIGHT)
    schedule.missing.add(Question.SAFE)
    asked = [Question.SAFE in schedule.questions(ChainCheck.PENDING) for _ in range(FORGET_EVERY)]
    assert asked.index(True) == FORGET_EVERY - 2


@pytest.mark.parametrize(("failures", "around"), [(1, 2), (2, 4), (3, 8), (4, 16), (5, 30), (9, 30)])
def test_failures_wait_longer_and_longer_up_to_thirty_seconds(failures: int, around: float) -> None:
    schedule = ProbeSchedule(0.2)
    for _ in range(failures):
        schedule.failed(Random(failures))
    assert 0.8 * around <= schedule.wait_s(RIGHT, idle=False) <= 1.2 * around
    assert schedule.status is (ProbeStatus.UNHEALTHY if failures >= 3 else ProbeStatus.DEGRADED)


def test_the_interval_holds_where_it_is_longer_but_not_for_one_that_may_not_serve() -> None:
    schedule = ProbeSchedule(12.0)
    schedule.failed(Random(1))
    assert schedule.wait_s(RIGHT, idle=False) == 12.0
    assert schedule.wait_s(ChainCheck.PENDING, idle=False) < 3.0


def test_throttled_it_is_left_alone_for_thirty_seconds_or_as_long_as_it_asks() -> None:
    schedule = ProbeSchedule(12.0)
    schedule.throttled(None)
    assert (schedule.wait_s(RIGHT, idle=False), schedule.failures) == (30.0, 0)
    schedule.throttled(90.0)
    assert schedule.wait_s(RIGHT, idle=True) == 90.0


def test_a_refused_key_is_tried_every_two_minutes() -> None:
    schedule = ProbeSchedule(12.0)
    schedule.refused()
    assert (schedule.wait_s(RIGHT, idle=False), schedule.status) == (120.0, ProbeStatus.MISCONFIGURED)


def test_an_idle_chain_is_looked_at_every_five_minutes_unless_something_is_wrong() -> None:
    schedule = ProbeSchedule(12.0)
    assert schedule.wait_s(RIGHT, idle=True) == IDLE_S
    schedule.failed(Random(1))
    assert schedule.wait_s(RIGHT, idle=True) == 12.0
    schedule.succeeded()
    assert (schedule.wait_s(RIGHT, idle=False), schedule.status) == (12.0, ProbeStatus.HEALTHY)


def test_an_interval_of_a_millisecond_is_not_obeyed() -> None:
    assert ProbeSchedule(0.001).wait_s(RIGHT, idle=False) == 0.2
