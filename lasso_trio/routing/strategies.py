"""How candidates are ranked. Pure: evidence in, order out.

* `priority`: the profile's own order, lower number first, HTTP before WebSocket.
* `load-balanced`: nobody is better; whoever picks draws at random.
* `fastest`: qualified candidates by mean latency, the unmeasured behind them in the profile's order.
* `latency-weighted`: drawn with weight (best / latency)^3, so that load follows speed; the unmeasured take part with
  the median weight, which is how they get measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from statistics import median
from typing import Final

import attrs

from lasso_trio.config.profile import Strategy, Transport

BETA: Final = 3.0
"""Exponent of the latency weight, as in the original."""

REASONS: Final[dict[Strategy, str]] = {
    Strategy.FASTEST: "fastest_method_latency",
    Strategy.PRIORITY: "static_priority",
    Strategy.LOAD_BALANCED: "load_balanced_rotation",
    Strategy.LATENCY_WEIGHTED: "latency_weighted_selection",
}


@attrs.frozen
class Standing:
    """What a strategy may know of one candidate. `mean_s` is None unless the evidence qualifies; tier 0 is the
    healthiest.
    """

    provider: str
    transport: Transport
    priority: int
    mean_s: float | None
    tier: int = 0


HALF_OPEN_TIER: Final = 1


def tier(*, half_open: bool, limited: bool, banned: bool = False) -> int:
    """0 closed, 1 half-open, 2 closed but rate-limited, 3 half-open and rate-limited: tried in this order.

    `banned`: it said that it does not have the method; behind all who did not, by 4.
    """
    return (1 if half_open else 0) + (2 if limited else 0) + (4 if banned else 0)


def rank(strategy: Strategy, standings: Sequence[Standing]) -> list[int]:
    """Indices of `standings`, best first, health tier before everything else."""
    return sorted(range(len(standings)), key=lambda i: (standings[i].tier, *_key(strategy, standings[i])))


def _key(strategy: Strategy, standing: Standing) -> tuple[float, int, bool, str]:
    unmeasured = float("inf")
    by_speed = strategy in (Strategy.FASTEST, Strategy.LATENCY_WEIGHTED)
    mean = standing.mean_s if by_speed and standing.mean_s is not None else unmeasured
    priority = standing.priority if strategy is not Strategy.LOAD_BALANCED else 0
    return mean, priority, standing.transport is Transport.WS, standing.provider


def weights(standings: Sequence[Standing], beta: float = BETA) -> list[float]:
    """(best / mean)^beta for each; the unmeasured get the median of the measured, or 1 when nothing is measured."""
    means = [s.mean_s for s in standings if s.mean_s is not None]
    if not means:
        return [1.0] * len(standings)
    best = min(means)
    measured = [1.0 if s.mean_s is None else _weight(best, s.mean_s, beta) for s in standings]
    typical = median(w for w, s in zip(measured, standings, strict=True) if s.mean_s is not None)
    return [typical if s.mean_s is None else w for w, s in zip(measured, standings, strict=True)]


def _weight(best: float, mean: float, beta: float) -> float:
    return float((best / mean) ** beta) if mean > 0 else 1.0


def race_order(weights: Sequence[float], rng: Random) -> list[int]:
    """A weighted permutation without replacement: ascending -ln(U)/w (Efraimidis and Spirakis, 2006)."""
    keys = [rng.expovariate(1.0) / max(w, 1e-12) for w in weights]
    return sorted(range(len(weights)), key=keys.__getitem__)
