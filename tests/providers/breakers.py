"""Breakers that were brought into a state, for the tests of what follows from it."""

from __future__ import annotations

from random import Random

from lasso_trio.providers.breaker import Breaker, State
from lasso_trio.providers.catalogue import Category

RNG = Random(7)


def fail(breaker: Breaker, category: Category, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        breaker.failure(category, now, RNG)


def opened(category: Category = Category.SERVER_ERROR, now: float = 0.0) -> Breaker:
    breaker = Breaker()
    fail(breaker, category, 5, now)
    assert breaker.state(now) is State.OPEN
    return breaker
