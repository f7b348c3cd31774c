"""At once after an accident, later and later when it crashes as soon as it is there."""

from __future__ import annotations

from lasso_trio.workers.restarts import LONGEST_S, Restarts


def delays(*lives: float | None) -> list[float]:
    restarts, waits = Restarts(), []
    for ready_s in lives:
        restarts = restarts.after(ready_s)
        waits.append(restarts.delay_s)
    return waits


def test_a_worker_that_served_is_replaced_at_once_however_often() -> None:
    assert delays(*[5.0] * 50) == [0.0] * 50


def test_one_that_crashes_at_its_start_is_given_more_and_more_time() -> None:
    assert delays(None, None, None, None, 0.1, None) == [0.0, 0.0, 0.5, 1.0, 2.0, 4.0]
    assert delays(*[None] * 100)[-1] == LONGEST_S


def test_once_it_has_served_it_begins_anew() -> None:
    assert delays(None, None, None, 2.0, None) == [0.0, 0.0, 0.5, 0.0, 0.0]
