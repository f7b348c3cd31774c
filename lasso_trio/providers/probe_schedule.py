"""When an instance is looked at next, and what it is asked: the cost of knowing, as a plain decision.

A usual round is one `eth_blockNumber`. Every tenth, the first, and each one after a failure ask more: the chain id, the
newest block with its time, `safe`, `finalized`, `eth_syncing`. So an hour costs about 1.5 × 3600 / interval calls. What
an instance does not have is not asked again for long; what it was silent about is asked last the next time. Failures
wait 2 s · 2^(n-1) up to 30 s (± 20 %) where that is longer than the interval; a connection that is refused or breaks is
tried again after a second, three times. Throttling waits for 30 s at least and five minutes at most, whatever the hint
says, and a refused key two minutes. A chain that no client uses is looked at every five minutes, unless something is
wrong with it; each of those rounds asks for the chain id, and the first when the clients are back asks for everything.
Pure: dice are passed in.
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
QUICK_S: Final = 1.0
QUICK_TRIES: Final = 3
"""The breaker opens with the fourth failed round, so a node that was killed is known to be dead within three seconds
of the first."""
THROTTLED_S: Final = 30.0
LONGEST_HINT_S: Final = 300.0
"""A longer pause that a provider asks for is obeyed by calls; a probe looks whether it was meant."""
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

    @property
    def method(self) -> str:
        return self.call[0].decode().strip('"')


_USUAL: Final = (Question.HEIGHT,)
_SELDOM: Final = (Question.CHAIN_ID, Question.HEIGHT)
"""Of an idle chain: whatever happened in five minutes, the node is not believed to be the same."""
EXTRAS: Final = (Question.LATEST, Question.SAFE, Question.FINALIZED, Question.SYNCING)
"""Good to know: an instance that fails at one of these is not ill."""


class ProbeStatus(StrEnum):
    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"
    MISCONFIGURED = "misconfigured"


@attrs.define(eq=False)
class ProbeSchedule:
    """`failures` in a row. `missing`: questions that the instance cannot answer. `extras`: in the order of asking."""

    interval_s: float
    failures: int = 0
    backoff_s: float = 0.0
    status: ProbeStatus = ProbeStatus.UNKNOWN
    missing: set[Question] = attrs.field(factory=set)
    extras: list[Question] = attrs.field(factory=lambda: list(EXTRAS))
    _doubted: set[Question] = attrs.field(factory=set)
    _soon: bool = False
    _rounds: int = 0
    _deep: int = 0

    def __attrs_post_init__(self) -> None:
        self.interval_s = max(self.interval_s, SHORTEST_INTERVAL_S)

    def look_deep(self) -> None:
        """The next round asks for everything."""
        self._rounds = 0

    def questions(self, check: ChainCheck, *, idle: bool = False) -> tuple[Question, ...]:
        """For the round that begins now. A wrong chain is asked for nothing but its id."""
        deep = self._rounds % DEEP_EVERY == 0 or self.failures > 0 or not check.may_serve
        self._rounds = 1 if deep else self._rounds + 1
        if check is ChainCheck.WRONG:
            return (Question.CHAIN_ID,)
        self._deep += deep
        if self._deep % FORGET_EVERY == 0:
            self.missing.clear()
        asked = (*_SELDOM, *self.extras) if deep else _SELDOM if idle else _USUAL
        return tuple(question for question in asked if question not in self.missing)

    def has(self, question: Question) -> None:
        """It was answered."""
        self._doubted.discard(question)

    def lacks(self, question: Question) -> None:
        """The instance says that it does not have it."""
        self.missing.add(question)

    def erred(self, question: Question) -> bool:
        """An error that does not say so: twice in a row it means the same. True then."""
        again = self._in_doubt(question)
        if again:
            self.missing.add(question)
        return again

    def silent(self, question: Question) -> bool:
        """No answer to one of the extras, which may be the moment's fault: it is asked again, after the others. True if
        that is the second time in a row: what it told before is old by now.
        """
        self.extras.remove(question)
        self.extras.append(question)
        return self._in_doubt(question)

    def _in_doubt(self, question: Question) -> bool:
        before = question in self._doubted
        self._doubted.add(question)
        return before

    def succeeded(self) -> None:
        self.failures, self.backoff_s, self.status = 0, 0.0, ProbeStatus.HEALTHY
        self._soon = False

    def failed(self, rng: Random, *, at_once: bool = False) -> None:
        """`at_once`: it was known without waiting, so it costs nobody anything to look again soon."""
        self.failures += 1
        self._soon = at_once and self.failures <= QUICK_TRIES
        backoff = QUICK_S if self._soon else FIRST_BACKOFF_S * 2.0 ** min(self.failures - 1, 4)
        self.backoff_s = min(backoff, LONGEST_BACKOFF_S) * rng.uniform(1 - JITTER, 1 + JITTER)
        self.status = ProbeStatus.UNHEALTHY if self.failures >= UNHEALTHY_FAILURES else ProbeStatus.DEGRADED

    def throttled(self, hint_s: float | None) -> None:
        """Not ill, but to be left alone. `hint_s`: what it asked for, which may be misread and must not blind us."""
        self.backoff_s = min(max(THROTTLED_S, hint_s or 0.0), LONGEST_HINT_S)
        self.status, self._soon = ProbeStatus.DEGRADED, False

    def refused(self) -> None:
        """The key is wrong, or unpaid: asking more often helps nobody."""
        self.failures += 1
        self.backoff_s, self.status, self._soon = REFUSED_S, ProbeStatus.MISCONFIGURED, False

    def wait_s(self, check: ChainCheck, *, idle: bool) -> float:
        """Until the next round. Who may not serve before it is asked does not wait for an interval as well."""
        if self._soon or (not check.may_serve and self.backoff_s):
            return self.backoff_s
        usual = max(self.interval_s, IDLE_S) if idle and not self.backoff_s else self.interval_s
        return max(usual, self.backoff_s)
