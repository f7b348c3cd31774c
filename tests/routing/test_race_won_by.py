"""Whose answer a hedged call has: its first attempt's, a hedge's, a failover's, or nobody's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from lasso_trio.config.profile import HedgePolicy, Routing, Strategy
from lasso_trio.devnet import Failure, Faults, Kind, Latency
from lasso_trio.routing.service import Wish
from tests.routing.races import HEDGE, STALLING, slow

Build = Callable[..., Any]
Clock = trio.testing.MockClock
TWO_EXTRA = Routing(Strategy.PRIORITY, hedge=HedgePolicy(enabled=True, min_ms=50, max_ms=50, max_extra=2))


def failing(delay_ms: float) -> Faults:
    return Faults(latency=Latency.constant(delay_ms), failures=[Failure(Kind.HTTP)])


@pytest.mark.parametrize(
    ("providers", "hedges", "won_by"),
    [
        ({"a": slow(10), "b": slow(10)}, 0, ""),
        ({"a": failing(10), "b": slow(10)}, 0, ""),
        ({"a": slow(80), "b": slow(60)}, 1, "first"),
        ({"a": slow(200), "b": failing(10), "c": slow(5)}, 1, "first"),
        ({"a": STALLING, "b": slow(10)}, 1, "hedge"),
        ({"a": failing(70), "b": slow(60)}, 1, "hedge"),
        ({"a": failing(70), "b": failing(30), "c": slow(10)}, 1, "failover"),
        ({"a": failing(10), "b": slow(80), "c": slow(60)}, 1, "failover"),
        ({"a": failing(10), "b": STALLING, "c": slow(10)}, 1, "hedge"),
        ({"a": failing(70), "b": failing(30), "c": failing(10)}, 1, ""),
        ({"a": failing(70), "b": failing(30)}, 1, ""),
    ],
)
async def test_who_won_is_who_answered(
    autojump_clock: Clock, world: Build, providers: dict[str, Faults], hedges: int, won_by: str
) -> None:
    outcome = (await world(providers, routing=HEDGE).serve()).outcome
    assert (outcome.hedges, outcome.won_by, outcome.hedge_won) == (hedges, won_by, won_by == "hedge")


async def test_a_second_hedge_is_a_hedge(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": STALLING, "b": STALLING, "c": slow(10)}, routing=TWO_EXTRA)
    assert (await it.serve("eth_call", '[{},"latest"]')).outcome.won_by == "hedge"


async def test_nobody_won_when_the_time_is_over(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": STALLING, "b": STALLING}, routing=HEDGE)
    outcome = (await it.serve(wish=Wish(deadline_s=0.5))).outcome
    assert (outcome.failed, outcome.hedges, outcome.won_by) == (True, 1, "")


async def test_a_first_that_no_breaker_admits_was_no_attempt(
    autojump_clock: Clock, world: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = world({"a": slow(10), "b": slow(80), "c": slow(60)}, routing=HEDGE)
    monkeypatch.setattr(type(it.channel("a")), "admit", lambda channel, *_: channel is not it.channel("a"))
    outcome = (await it.serve()).outcome
    assert (outcome.candidate.provider.id, outcome.hedges, outcome.won_by) == ("b", 1, "first")
