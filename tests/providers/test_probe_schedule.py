from __future__ import annotations

from random import Random

import pytest

from lasso_trio.providers.head import ChainCheck
from lasso_trio.providers.probe_schedule import (
    EXTRAS,
    FORGET_EVERY,
    IDLE_S,
    LONGEST_HINT_S,
    QUICK_TRIES,
    ProbeSchedule,
    ProbeStatus,
    Question,
)

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


@pytest.mark.parametrize("hint_s", [301.0, 86_400.0, 1_700_000_000.0])
@pytest.mark.parametrize("check", [RIGHT, ChainCheck.PENDING])
def test_no_hint_silences_it_for_longer_than_five_minutes(hint_s: float, check: ChainCheck) -> None:
    schedule = ProbeSchedule(12.0)
    schedule.throttled(hint_s)
    assert schedule.wait_s(check, idle=False) == LONGEST_HINT_S == 300.0


def test_a_broken_connection_is_tried_again_after_a_second_and_no_more_than_three_times() -> None:
    schedule = ProbeSchedule(0.2)
    waits = []
    for _ in range(5):
        schedule.failed(Random(1), at_once=True)
        waits.append(schedule.wait_s(RIGHT, idle=True))
    assert all(0.8 <= wait <= 1.2 for wait in waits[:QUICK_TRIES])
    assert [wait > 10.0 for wait in waits] == [False, False, False, True, True]
    schedule.succeeded()
    schedule.failed(Random(1), at_once=True)
    assert schedule.wait_s(RIGHT, idle=True) <= 1.2


def test_the_interval_does_not_hold_for_what_broke_at_once_but_for_what_is_slow() -> None:
    schedule = ProbeSchedule(12.0)
    schedule.failed(Random(1), at_once=True)
    assert schedule.wait_s(RIGHT, idle=False) <= 1.2
    schedule.failed(Random(1))
    assert schedule.wait_s(RIGHT, idle=False) == 12.0
    schedule.failed(Random(1), at_once=True)
    assert schedule.wait_s(RIGHT, idle=False) <= 1.2
    schedule.throttled(None)
    assert schedule.wait_s(RIGHT, idle=False) == 30.0


def test_a_key_that_is_refused_after_a_broken_connection_is_left_alone() -> None:
    schedule = ProbeSchedule(300.0)
    schedule.failed(Random(1), at_once=True)
    schedule.refused()
    assert schedule.wait_s(RIGHT, idle=False) == 300.0


def test_what_was_silent_is_asked_after_the_others_and_is_never_missing() -> None:
    schedule = ProbeSchedule(12.0)
    assert not schedule.silent(Question.LATEST)
    assert schedule.silent(Question.LATEST)
    assert schedule.questions(RIGHT)[2:] == (Question.SAFE, Question.FINALIZED, Question.SYNCING, Question.LATEST)
    assert not schedule.missing


def test_an_error_must_come_twice_in_a_row_to_mean_that_something_is_not_there() -> None:
    schedule = ProbeSchedule(12.0)
    assert not schedule.erred(Question.SAFE)
    schedule.has(Question.SAFE)
    assert not schedule.erred(Question.SAFE)
    assert Question.SAFE in schedule.questions(RIGHT)
    assert schedule.erred(Question.SAFE)
    schedule.lacks(Question.FINALIZED)
    assert schedule.missing == {Question.SAFE, Question.FINALIZED}


def test_an_idle_chain_is_asked_for_its_id_each_time() -> None:
    schedule = ProbeSchedule(12.0)
    rounds = [schedule.questions(RIGHT, idle=True) for _ in range(11)]
    assert rounds[0] == rounds[10] == (Question.CHAIN_ID, Question.HEIGHT, *EXTRAS)
    assert set(rounds[1:10]) == {(Question.CHAIN_ID, Question.HEIGHT)}


def test_on_demand_the_next_round_asks_for_everything_and_begins_with_the_chain() -> None:
    schedule = ProbeSchedule(12.0)
    schedule.questions(RIGHT)
    schedule.look_deep()
    assert schedule.questions(RIGHT) == (Question.CHAIN_ID, Question.HEIGHT, *EXTRAS)
    assert schedule.questions(RIGHT) == (Question.HEIGHT,)
