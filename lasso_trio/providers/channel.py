"""One way to one upstream: its breaker, its cooldown, and what is known of its speed, shared by all profiles.

The state machines are pure; this room is where their verdicts meet: an outcome comes in once, through `succeeded`,
`failed` or `abandoned`, and every change that concerns routing bumps the shared `Version`, which makes plans go stale.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from math import inf
from random import Random
from typing import Final

import attrs
import structlog

from lasso_trio.config.profile import Transport
from lasso_trio.providers.allowance import Budget
from lasso_trio.providers.breaker import TIME_OVER, TOLD, Breaker, State, Transition
from lasso_trio.providers.catalogue import Verdict
from lasso_trio.providers.cooldown import Cooldown
from lasso_trio.providers.latency import Evidence
from lasso_trio.providers.learned import Kind, LearnedLimits
from lasso_trio.providers.limit_texts import read_limits
from lasso_trio.providers.method_bans import MethodBans
from lasso_trio.providers.pacing import Pacing
from lasso_trio.providers.unknown_errors import UnknownErrors
from lasso_trio.upstream.http1 import Pool
from lasso_trio.upstream.ws_link import WsLink

log = structlog.get_logger(__name__)

Line = Pool | WsLink
"""What calls are sent on: many HTTP connections, or one WebSocket."""

EVIDENCE_ROWS: Final = 256
"""Method rows kept per channel; further ones share one."""
_SHARED_ROW: Final = "other"


@attrs.define(eq=False)
class Version:
    """Moves whenever a breaker or a cooldown did. Shared by all channels of the node."""

    value: int = 0

    def bump(self) -> None:
        self.value += 1


class Aspect(StrEnum):
    """Which part of a channel's standing changed."""

    BREAKER = "breaker"
    COOLDOWN = "cooldown"
    PACE = "pace"
    CORDON = "cordon"
    BAN = "ban"
    LIMIT = "limit"


OnNews = Callable[["Channel", Aspect, str], None]
"""Told after a change; the text names the method of a ban."""


@attrs.define(eq=False, repr=False)
class Channel:
    """`origin` is the masked URL. `pool` is None for a transport that has no open connection to dispatch on.

    `pacing` and `budget` (None: unlimited) belong to the instance and are shared by its channels. `on_news`: who passes
    on to other processes what this one's calls changed; it must not raise or block.
    """

    instance_id: str
    origin: str
    transport: Transport
    pool: Line | None
    version: Version
    rng: Random
    breaker: Breaker = attrs.field(factory=Breaker)
    cooldown: Cooldown = attrs.field(factory=Cooldown)
    pacing: Pacing = attrs.field(factory=Pacing)
    budget: Budget | None = None
    bans: MethodBans = attrs.field(factory=MethodBans)
    evidence: dict[str, Evidence] = attrs.field(factory=dict)
    unknown: UnknownErrors = attrs.field(factory=UnknownErrors)
    """Error texts of this channel that the catalogue does not know."""
    in_flight: int = 0
    live_elsewhere: bool = False
    """Another process has its open session. Only of copies that are shown: no call can go out there."""
    heard_at: float = -inf
    """When it last answered a call well."""
    cordoned: bool = False
    """An operator took it out of service: it is in no plan."""
    ordered_at: float = -inf
    """When an operator last said so, or the contrary."""
    on_news: OnNews | None = None
    learned: LearnedLimits = attrs.field(factory=LearnedLimits)
    """Shared by the channels of one instance."""

    def __attrs_post_init__(self) -> None:
        self.breaker.on_transition = self._moved

    @property
    def live(self) -> bool:
        """Can a call be dispatched now? HTTP always can; a WebSocket needs a keeper with an open session."""
        return self.pool is not None or self.live_elsewhere

    def cordon(self, *, out: bool, now: float = -inf) -> None:
        """Take it out of service, or back in. Calls in flight are untouched.

        `now`: of the order, where several processes may hear of several: the latest holds.
        """
        if now < self.ordered_at:
            return
        self.ordered_at = now
        if self.cordoned is not out:
            self.cordoned = out
            self.version.bump()
            log.warning("channel.cordoned" if out else "channel.uncordoned", **self._who())
        self.spread(Aspect.CORDON)

    def spread(self, aspect: Aspect, method: str = "") -> None:
        """Tell who passes it on that this has changed."""
        if self.on_news is not None:
            self.on_news(self, aspect, method)

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

    def limited(self, now: float) -> bool:
        """Throttled, by its provider or by us: to be asked after those that are not."""
        return self.cooldown.active(now) or self.pacing.over(now) or (self.budget is not None and self.budget.over(now))

    def next_change(self, now: float) -> float:
        """When this channel's standing will change by itself; infinity if nothing is pending."""
        ends = (self.cooldown.until, self.pacing.until, -inf if self.budget is None else self.budget.until)
        return min(self.breaker.until, min((end for end in ends if end > now), default=inf))

    def admit(self, now: float, method: str = _SHARED_ROW) -> bool:
        """May one call go out? A True must be followed by exactly one of the four reports below.

        The pace refuses nobody, a configured budget does.
        """
        if self.budget is None and self.pacing.rate is None:
            return self.breaker.admit(now)
        return self._admit_counted(now, method)

    def _admit_counted(self, now: float, method: str) -> bool:
        budget = self.budget
        if budget is not None and not budget.affords(method, now):
            return False
        if not self.breaker.admit(now):
            return False
        exhausted = budget is not None and budget.spend(method, now)
        if self.pacing.sent(now) or exhausted:
            self.version.bump()
        return True

    def succeeded(self, method: str, seconds: float, now: float, verdict: Verdict | None = None) -> None:
        """It answered: a result, or an error that is not the provider's fault, judged by `verdict`."""
        self.row(method).record(seconds, now)
        self.heard_at = now
        if verdict is None or verdict.breaker == "success":
            self.breaker.success(now, now - seconds)
        else:
            self.breaker.cancelled(now - seconds)
        if self.pacing.rate is not None:
            self.pacing.answered(now)
        if self.bans.until and self.bans.lift(method):
            self.version.bump()
            self.spread(Aspect.BAN, method)

    def failed(
        self,
        method: str,
        verdict: Verdict,
        seconds: float,
        now: float,
        hint_s: float | None = None,
        per_second: float | None = None,
        text: str = "",
    ) -> None:
        """It answered with what `verdict` says, or not at all: its `cooldown`, `learning` and `breaker` decide alone.

        `hint_s`, `per_second`: what a refusal said of its limit. `text`: the error's, which may tell how far back it
        goes (what it says of the size of a log query is learned where that is known).
        """
        if verdict.cooldown != "none":
            self._throttled(now, hint_s, per_second, long=verdict.cooldown == "long")
        if verdict.learning == "method":
            self._ban(method, now)
        elif verdict.learning == "archive" and text:
            self._learn_depth(text, now)
        if verdict.counts:
            self.row(method).record_failure(now)
        if verdict.breaker == "success":
            self.breaker.success(now, now - seconds)
        else:
            self.breaker.failure(verdict.category, now, self.rng, now - seconds, verdict.breaker)

    def expired(self, method: str, verdict: Verdict, seconds: float, now: float) -> None:
        """No answer within the attempt's time; `seconds` is a lower bound of its latency."""
        self.row(method).record_censored(seconds, now)
        self.failed(method, verdict, seconds, now)

    def abandoned(self, started: float) -> None:
        """The caller of a call admitted at `started` went away: no verdict on the provider."""
        self.breaker.cancelled(started)

    def cool(self, now: float, hint_s: float | None, *, long: bool = False) -> None:
        """Leave it alone for a while, as told or backing off. No call was one too many: no pace is learnt.

        `long`: a day's or a month's volume is used up.
        """
        self._throttled(now, hint_s, None, long=long, paced=False)

    def _throttled(
        self, now: float, hint_s: float | None, per_second: float | None, *, long: bool, paced: bool = True
    ) -> None:
        fresh, limited = not self.cooldown.active(now), self.limited(now)
        news, before = fresh or (long and not self.cooldown.long), self.cooldown.until
        if self.cooldown.begin(now, hint_s, self.rng, long=long) != before:
            self.spread(Aspect.COOLDOWN)
        # Refusals during a cooldown answer calls that were sent in spite of it: no news, unless they name the limit.
        # How fast it may be asked is not the matter when its volume is used up.
        refused = paced and not long and (fresh or per_second is not None)
        if refused and self.pacing.refused(now, self.breaker.window.per_second(now), per_second):
            self.spread(Aspect.PACE)
        if not limited:  # a longer cooldown changes no plan: when the old end is due, plans are made anew
            self.version.bump()
        if news:
            self._tell_cooldown(now, long)

    def _tell_cooldown(self, now: float, long: bool) -> None:
        seconds, rate = round(self.cooldown.remaining(now), 3), self.pacing.rate
        if long:
            log.error("quota.used_up", seconds=seconds, **self._who())
        else:
            log.warning("cooldown.begun", seconds=seconds, per_second=rate and round(rate, 3), **self._who())

    def _ban(self, method: str, now: float) -> None:
        # Names beyond the table share a row: one of them says nothing of the next.
        if method != _SHARED_ROW and self.bans.ban(method, now):
            self.version.bump()
            log.info("method.banned", method=method, **self._who())
            self.spread(Aspect.BAN, method)

    def _learn_depth(self, text: str, now: float) -> None:
        for told in read_limits(text, "archive"):
            if told.kind is Kind.EARLIEST and told.value is not None:
                self.learned.told(told.kind, told.value, now)

    def _moved(self, step: Transition) -> None:
        self.version.bump()
        if step.reason != TIME_OVER:
            self.spread(Aspect.BREAKER)
        told: dict[str, object] = {"reason": step.reason, "detail": step.detail, **self._who()}
        if TOLD in (step.reason, step.detail):  # who told it has logged it
            log.debug("breaker.told", before=step.before.value, after=step.after.value, **told)
        elif step.after is not State.OPEN:
            log.info("breaker.changed", before=step.before.value, after=step.after.value, **told)
        elif step.quarantined:
            log.error("breaker.quarantined", before=step.before.value, seconds=round(step.retry_after_s, 3), **told)
        else:
            seconds = round(step.retry_after_s, 3)
            log.warning("breaker.changed", before=step.before.value, after="open", seconds=seconds, **told)

    def _who(self) -> dict[str, str]:
        return {"instance": self.instance_id, "transport": self.transport.value}

    def __repr__(self) -> str:
        return f"<Channel {self.instance_id} {self.transport.value}>"
