"""What a worker tells the others of its calls, so that each can show the node's: values that go over the bus.

Absolute, never what something grew by: hearing twice does no harm, and what was missed is in what is told next. Rates
are counts by second, newest first, as of the moment of telling. Times are seconds.
"""

from __future__ import annotations

import msgspec

from lasso_trio.telemetry.usage import Usage


class ChainFigures(msgspec.Struct, array_like=True, frozen=True):
    """See `routing.routed_chain.ChainCounts` and `routing.hedge.Hedges`."""

    profile: str
    chain: str
    calls: int
    errors: int
    failovers: int
    cancelled: int
    limited: int
    fired: int
    won: int
    wasted: int
    racing: int
    saved_s: float
    tokens: float
    suppressed: dict[str, int]
    call_rate: list[int]
    failover_rate: list[int]
    sent: int = 0


class CandidateFigures(msgspec.Struct, array_like=True, frozen=True):
    """See `routing.candidate.Tally`. `label`: the candidate's, provider and transport."""

    profile: str
    chain: str
    label: str
    attempts: int
    answered: int
    failures: int
    throttled: int
    seconds: float
    rates: list[int]


class Durations(msgspec.Struct, array_like=True, frozen=True):
    """A `LogHistogram`."""

    buckets: dict[int, int]
    total: float


class RowFigures(msgspec.Struct, array_like=True, frozen=True):
    """One method of one channel: answers and failures since the start, and the window that is still believed."""

    instance: str
    transport: str
    method: str
    answered: int
    failed: int
    latency: Durations
    censored: Durations
    failures: int


class Figures(msgspec.Struct, array_like=True, frozen=True):
    """What is new. `life`: of this process, to count it once when it is gone."""

    life: str
    usage: Usage
    chains: list[ChainFigures]
    candidates: list[CandidateFigures]
    rows: list[RowFigures]


class Gone(msgspec.Struct, array_like=True, frozen=True):
    """Sums of the workers that are gone, by whose `lives` they are."""

    lives: list[str]
    chains: list[ChainFigures]
    candidates: list[CandidateFigures]
    rows: list[RowFigures]
