"""One way to one upstream: its breaker, its cooldown, and what is known of its speed, shared by all profiles.

The state machines are pure; this room is where their verdicts meet: an outcome comes in once, through `succeeded`,
`failed` or `abandoned`, and every change that concerns routing bumps the shared `Version`, which makes plans go stale.
"""

from __future__ import annotations

from math import inf
from random import Random
from typing import Final

import attrs
import structlog

from lasso_trio.config.profile import Transport
from lasso_trio.providers.breaker import Breaker, State, Transition
from lasso_trio.providers.catalogue import Category, Verdict
from lasso_trio.providers.cooldown import Cooldown
from lasso_trio.providers.latency import Evidence
from lasso_trio.providers.learned import LearnedLimits
from lasso_trio.upstream.http1 import Pool

log = structlog.get_logger(__name__)

EVIDENCE_ROWS: Final = 256
"""Method rows kept per channel; further ones share one."""
_SHARED_ROW: Final = "other"


@attrs.define(eq=False)
class Version:
    """Moves whenever a breaker or a cooldown did. Shared by all channels of the node."""

    value: int = 0

    def bump(self) -> None:
        self.value += 1


@attrs.define(eq=False, repr=False)
class Channel:
    """`origin` is the masked URL. `pool` is None for a transport that has no open connection to dispatch on."""

    instance_id: str
    origin: str
    transport: Transport
    pool: Pool | None
    version: Version
    rng: Random
    breaker: Breaker = attrs.field(factory=Breaker)
    cooldown: Cooldown = attrs.field(factory=Cooldown)
    evidence: dict[str, Evidence] = attrs.field(factory=dict)
    in_flight: int = 0
    learned: LearnedLimits = attrs.field(factory=LearnedLimits)
    """Shared by the channels of one instance."""

    def __attrs_post_init__(self) -> None:
        self.breaker.on_transition = self._moved

    @property
    def live(self) -> bool:
        """Can a call be dispatched now? HTTP always can; a WebSocket needs a keeper with an open session."""
        return self.pool is not None

    def row(self, method: str) -> Evidence:
        found = self.evidence.get(method)
        if found is None:
            name = method if len(self.evidence) < EVIDENCE_ROWS else _SHARED_ROW
            found = self.evidence.setdefault(name, Evidence())
        return found

    def speed(self, method: str, now: float) -> float | None:
        """Expected seconds per answer, or None while there is too little, too old or too bad evidence."""
        evidence = self.evidence.get(method)
        if evidence is None and len(self.evidence) >= EVIDENCE_ROWS:
            evidence = self.evidence.get(_SHARED_ROW)
        if evidence is None or not evidence.qualified(now):
            return None
        return evidence.expected(now)

    def next_change(self, now: float) -> float:
        """When this channel's standing will change by itself; infinity if nothing is pending."""
        return min(self.breaker.until, self.cooldown.until if self.cooldown.active(now) else inf)

    def admit(self, now: float) -> bool:
        """May one call go out? A True must be followed by exactly one of the four reports below."""
        return self.breaker.admit(now)

    def succeeded(self, method: str, seconds: float, now: float) -> None:
        """It answered: a result, or an error that is not the provider's fault."""
        self.row(method).record(seconds, now)
        self.breaker.success(now, now - seconds)

    def failed(self, method: str, verdict: Verdict, seconds: float, now: float, hint_s: float | None = None) -> None:
        """It answered with what `verdict` says, or not at all."""
        if verdict.category is Category.RATE_LIMIT:
            self._cool_down(now, hint_s)
        if verdict.counts:
            self.row(method).record_failure(now)
        self.breaker.failure(verdict.category, now, self.rng, now - seconds)

    def expired(self, method: str, verdict: Verdict, seconds: float, now: float) -> None:
        """No answer within the attempt's time; `seconds` is a lower bound of its latency."""
        self.row(method).record_censored(seconds, now)
        self.failed(method, verdict, seconds, now)

    def abandoned(self, started: float) -> None:
        """The caller of a call admitted at `started` went away: no verdict on the provider."""
        self.breaker.cancelled(started)

    def _cool_down(self, now: float, hint_s: float | None) -> None:
        fresh = not self.cooldown.active(now)
        self.cooldown.begin(now, hint_s, self.rng)
        self.version.bump()
        if fresh:
            log.warning("cooldown.begun", seconds=round(self.cooldown.remaining(now), 3), **self._who())

    def _moved(self, step: Transition) -> None:
        self.version.bump()
        tell = log.warning if step.after is State.OPEN else log.info
        tell("breaker.changed", before=step.before.value, after=step.after.value, reason=step.reason, **self._who())

    def _who(self) -> dict[str, str]:
        return {"instance": self.instance_id, "transport": self.transport.value}

    def __repr__(self) -> str:
        return f"<Channel {self.instance_id} {self.transport.value}>"
