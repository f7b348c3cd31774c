"""Providers that make a call late, and what came of it."""

from __future__ import annotations

from lasso_trio.config.profile import HedgePolicy, Routing, Strategy
from lasso_trio.devnet import Faults, Latency
from lasso_trio.routing.service import Served

STALLING = Faults(latency=Latency.constant(2000))
HEDGE = Routing(Strategy.PRIORITY, hedge=HedgePolicy(enabled=True, min_ms=50, max_ms=50))


def slow(ms: float) -> Faults:
    return Faults(latency=Latency.constant(ms))


def facts(served: Served) -> tuple[str, str, int, int, bool]:
    outcome = served.outcome
    assert outcome.candidate is not None
    return outcome.candidate.provider.id, outcome.reason, outcome.retries, outcome.hedges, outcome.hedge_won
