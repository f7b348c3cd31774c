"""When a late call is raced, and what that may cost: pure decisions, the budget, and the counts.

A hedge is a second attempt of a call whose first is late. *Late* is later than `quantile` of what the asked provider
lately needed for this method on this transport (see "The Tail at Scale", Dean and Barroso, CACM 56/2, 2013): then the
share of hedged calls is what the quantile leaves, about 3 % by default, and nobody waits for a fixed delay that fits
no provider. Quantile and budget must agree: a timer at p95 alone would spend a budget of 5 %.

The budget is a token bucket per profile and chain: each call that is sent upstream puts in `share`, each hedge takes
one out. Calls that share another's answer, are answered from the cache or by ourselves put in nothing: `share` is one
of what providers are asked. When everybody slows down at once, every call is late, the bucket is empty soon, and
hedging stops by itself. It is filled when it is asked: a call that is not late pays for a counter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import inf
from typing import Final

import attrs

from lasso_trio.config.profile import HedgePolicy, Routing, Strategy
from lasso_trio.jsonrpc.methods import Method
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.latency import Evidence
from lasso_trio.routing.candidate import Candidate

MOST_TOKENS: Final = 20.0
FEW_IN_FLIGHT: Final = 2
"""So many hedges may be in flight however little traffic there is…"""
SHARE_IN_FLIGHT: Final = 0.1
"""…and beyond that this share of the attempts in flight."""
COLD_SHARE: Final = 0.1
"""Without evidence a call is late after this share of its method's time-out."""
MARGIN: Final = 1.05
MARGIN_S: Final = 0.001
"""The histogram knows a quantile within 2 %, and an answer may lie in the kernel for a moment: a provider that always
takes the same time is not late each time."""
PASSING: Final = frozenset({"budget", "in_flight"})
"""Refusals that soon may hold no more: other calls' hedges end, other calls fill the bucket."""
SILENT_S: Final = 0.25
SILENT_CALLS: Final = 3
WIDE_BLOCKS: Final = 100
"""An `eth_getLogs` over more blocks is heavy for whoever answers it: it is not raced unless the profile says so."""

_HEAVY: Final = frozenset({"debug", "trace", "txpool"})


def policy_for(routing: Routing, method: Method, strategy: Strategy) -> HedgePolicy | None:
    """The policy for calls of `method` under `strategy`; None when they are not hedged.

    Writes, filters and subscriptions never are. Traces are if the profile turns it on for the method itself.
    """
    override = routing.method_overrides.get(method.name)
    own = None if override is None else override.hedge
    policy = own or routing.hedge
    if not method.replay_safe or not policy.max_extra or policy.enabled is False:
        return None
    if policy.enabled is None and strategy is not Strategy.FASTEST:
        return None
    wanted_here = own is not None and own.enabled is True
    return policy if wanted_here or method.category not in _HEAVY else None


def delay_s(policy: HedgePolicy, method: Method, evidence: Evidence | None, now: float) -> float:
    """After how many seconds an attempt is late.

    A quantile needs samples beyond it: below 1 / (1 − quantile) of them the estimate counts only for its share, and
    what is missing is filled up with the cold start's guess, a share of the method's time-out.
    """
    guess, found = COLD_SHARE * method.timeout_s, None
    if evidence is not None:
        found = evidence.quantile(policy.quantile, now)
    if found is None or evidence is None:
        return _held(policy, guess)
    found = found * MARGIN + MARGIN_S
    belief = min(1.0, evidence.count(now) * (1 - policy.quantile))
    return _held(policy, belief * found + (1 - belief) * max(guess, found))


def _held(policy: HedgePolicy, seconds: float) -> float:
    return max(policy.min_ms / 1000, min(policy.max_ms / 1000, seconds))


@attrs.define(eq=False)
class Timing:
    """The timers of one plan's candidates. `policy` is None when its calls are not hedged."""

    policy: HedgePolicy | None
    delays: dict[Candidate, float] = attrs.field(factory=dict)

    def delay(self, candidate: Candidate, method: Method, now: float) -> float:
        """Seconds; infinity when such calls are not hedged."""
        found = self.delays.get(candidate)
        if found is None:
            evidence = candidate.channel.evidence.get(method.row)
            found = inf if self.policy is None else delay_s(self.policy, method, evidence, now)
            self.delays[candidate] = found
        return found


@attrs.define(eq=False)
class Hedges:
    """What one profile's chain spent on hedging, and what came of it. The budget is here, with the counts.

    `won`: the hedge's answer was taken. `wasted`: it was not. `saved_s`: how much longer the first attempts would have
    taken, at least: estimated from what was known of their providers, who are cut off when the winner answers, so that
    a stall is hardly ever seen to its end. `suppressed`: late calls without a hedge, by reason.
    """

    fired: int = 0
    won: int = 0
    wasted: int = 0
    saved_s: float = 0.0
    in_flight: int = 0
    suppressed: Counter[str] = attrs.field(factory=Counter)
    tokens: float = MOST_TOKENS
    _filled_at: int = 0
    """The number of calls that had been sent when the bucket was last filled."""

    def refusal(self, share: float, sent: int, attempts_in_flight: int) -> str:
        """Why no hedge may be fired now; empty when one may. `sent`: calls of this profile's chain that went upstream,
        since start.
        """
        self.tokens = min(MOST_TOKENS, self.tokens + share * (sent - self._filled_at))
        self._filled_at = sent
        if self.tokens < 1.0:
            return "budget"
        most = max(FEW_IN_FLIGHT, SHARE_IN_FLIGHT * attempts_in_flight)
        return "in_flight" if self.in_flight >= most else ""

    def fire(self) -> None:
        """One was sent. It must be followed by exactly one `end`."""
        self.tokens -= 1.0
        self.fired += 1
        self.in_flight += 1

    def end(self, *, won: bool) -> None:
        self.in_flight -= 1
        if won:
            self.won += 1
        else:
            self.wasted += 1


def is_silent(channel: Channel, other: Channel, since: float, now: float) -> bool:
    """Whether `channel` answers nobody any more, as a call says that waits for it `since` then, and `other` does.

    Calls are under way and none was answered for a quarter of a second, nor for half of what this one has waited. A
    provider that is slow answers others meanwhile; when all fall silent, it is no better elsewhere.
    """
    if now - since < SILENT_S or channel.in_flight < SILENT_CALLS:
        return False
    return channel.heard_at < now - max(SILENT_S, (now - since) / 2) < other.heard_at


def pick(
    rest: list[Candidate], busy: set[str], time_left: float, typical_s: Callable[[Candidate], float], now: float
) -> tuple[Candidate | None, str]:
    """Whom to send a hedge to: the best of `rest` (best first), and if nobody, why not.

    Never an instance that is asked already (`busy`), nobody that is throttled, and nobody that is not likely to answer
    in the `time_left`.
    """
    others = [c for c in rest if c.channel.instance_id not in busy]
    if not others:
        return None, "nobody_else"
    able = [c for c in others if not c.channel.limited(now)]
    if not able:
        return None, "cooldown"
    chosen = next((c for c in able if typical_s(c) <= time_left), None)
    return chosen, "" if chosen is not None else "deadline"
