"""When an instance is looked at next, and what it is asked: the cost of knowing, as a plain decision.

A usual round is one `eth_blockNumber`. Every tenth, the first, and each one after a failure ask more: the chain id, the
newest block with its time, `safe`, `finalized`, `eth_syncing`. So an hour costs about 1.5 × 3600 / interval calls. What
an instance does not have is not asked again for long. Failures wait 2 s · 2^(n-1) up to 30 s (± 20 %) where that is
longer than the interval, throttling at least 30 s, a refused key two minutes. A chain that no client uses is looked at
every five minutes, unless something is wrong with it. Pure: dice are passed in.
"""

from __future__ import annotations

from enum import StrEnum
from random import Random
from typing import Final

import attrs

from lasso_trio.providers.head import ChainCheck

SHORTEST_INTERVAL_S: Final = 0.2
DEEP_EVERY: Final = 10
FORGET_EVERY: Final = 30
"""Deep rounds after which an instance is asked again for what it did not have."""
FIRST_BACKOFF_S: Final = 2.0
LONGEST_BACKOFF_S: Final = 30.0
JITTER: Final = 0.2
THROTTLED_S: Final = 30.0
REFUSED_S: Final = 120.0
IDLE_S: Final = 300.0
"""No client's call for so long makes a chain idle, and so long is what its rounds then wait."""
TRIAL_S: Final = 2.0
"""Between the rounds that close a half-open breaker."""
UNHEALTHY_FAILURES: Final = 3


class Question(StrEnum):
    CHAIN_ID = "eth_chainId"
    HEIGHT = "eth_blockNumber"
    LATEST = "latest"
    SAFE = "safe"
    FINALIZED = "finalized"
    SYNCING = "eth_syncing"

    @property
    def call(self) -> tuple[bytes, bytes]:
        """Method and params as JSON."""
        if self in (Question.LATEST, Question.SAFE, Question.FINALIZED):
            return b'"eth_getBlockByNumber"', b'["%b",false]' % self.encode()
        return b'"%b"' % self.encode(), b"[]"


_USUAL: Final = (Question.HEIGHT,)
EXTRAS: Final = (Question.LATEST, Question.SAFE, Question.FINALIZED, Question.SYNCING)
"""Good to know: an instance that fails at one of these is not ill."""
_DEEP: Final = (Question.CHAIN_ID, Question.HEIGHT, *EXTRAS)


class ProbeStatus(StrEnum):
    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    MISCONFIGURED = "misconfigured"


@attrs.define(eq=False)
class ProbeSchedule:
    """`failures` in a row. `missing`: questions that the instance cannot answer."""

    interval_s: float
    failures: int = 0
    backoff_s: float = 0.0
    status: ProbeStatus = ProbeStatus.UNKNOWN
    missing: set[Question] = attrs.field(factory=set)
    _rounds: int = 0
    _deep: int = 0

    def __attrs_post_init__(self) -> None:
        self.interval_s = max(self.interval_s, SHORTEST_INTERVAL_S)

    def questions(self, check: ChainCheck) -> tuple[Question, ...]:
        """For the round that begins now. A wrong chain is asked for nothing but its id."""
        deep = self._rounds % DEEP_EVERY == 0 or self.failures > 0 or not check.may_serve
        self._rounds = 1 if deep else self._rounds + 1
        if check is ChainCheck.WRONG:
            return (Question.CHAIN_ID,)
        self._deep += deep
        if self._deep % FORGET_EVERY == 0:
            self.missing.clear()
        return tuple(question for question in (_DEEP if deep else _USUAL) if question not in self.missing)

    def succeeded(self) -> None:
        self.failures, self.backoff_s, self.status = 0, 0.0, ProbeStatus.HEALTHY

    def failed(self, rng: Random) -> None:
        self.failures += 1
        backoff = min(FIRST_BACKOFF_S * 2.0 ** min(self.failures - 1, 4), LONGEST_BACKOFF_S)
        self.backoff_s = backoff * rng.uniform(1 - JITTER, 1 + JITTER)
        self.status = ProbeStatus.UNHEALTHY if self.failures >= UNHEALTHY_FAILURES else ProbeStatus.DEGRADED

    def throttled(self, hint_s: float | None) -> None:
        """Not ill, but to be left alone; `hint_s`: what it asked for."""
        self.backoff_s, self.status = max(THROTTLED_S, hint_s or 0.0), ProbeStatus.DEGRADED

    def refused(self) -> None:
        """The key is wrong, or unpaid: asking more often helps nobody."""
        self.failures += 1
        self.backoff_s, self.status = REFUSED_S, ProbeStatus.MISCONFIGURED

    def wait_s(self, check: ChainCheck, *, idle: bool) -> float:
        """Until the next round. Who may not serve before it is asked does not wait for an interval as well."""
        if not check.may_serve and self.backoff_s:
            return self.backoff_s
        usual = max(self.interval_s, IDLE_S) if idle and not self.backoff_s else self.interval_s
        return max(usual, self.backoff_s)
