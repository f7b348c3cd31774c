"""The plan of a call: candidates in order, with the reason for the first, and who was left out and why.

A plan is built once per profile × chain × strategy × method × transport × pin and used by every call until the state
it was made from has moved: a breaker or a cooldown changed (`version`), one of them is due to change (`valid_until`),
or the latency evidence is a quarter of a second older. What each call pays for is one look-up and one draw, whatever
the number of providers.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate
from math import inf
from random import Random
from typing import Final

import attrs

from lasso_trio.config.profile import Strategy
from lasso_trio.jsonrpc.methods import Method
from lasso_trio.providers.breaker import State
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.filters import Exclusion
from lasso_trio.routing.hedge import Timing
from lasso_trio.routing.strategies import HALF_OPEN_TIER, REASONS, Standing, race_order, rank, tier, weights
from lasso_trio.telemetry.call_record import CallScope

REFRESH_S: Final = 0.25
EXPLORE_SHARE: Final = 1 / 16
"""This share of the calls goes to candidates without enough evidence, while there are any. Drawn, not counted: a plan
lives too short to count on."""

TRIAL_SHARE: Final = 0.25
"""This share of the calls that may be repeated goes to a half-open candidate first: nobody else would ever close it."""


@attrs.define(eq=False)
class Plan:
    """`ranked[:top]` share the best health tier. `cold` are those of them that lack evidence.

    `trial` are half-open candidates below the best tier. Their breakers let one call through at a time.
    """

    strategy: Strategy
    reason: str
    ranked: tuple[Candidate, ...]
    top: int
    cold: tuple[Candidate, ...]
    trial: tuple[Candidate, ...]
    excluded: tuple[Exclusion, ...]
    version: int
    valid_until: float
    timing: Timing | None = None
    """When this plan's attempts are late; made by the first call that asks."""
    scope: CallScope | None = None
    """What the log lines of this plan's calls share; filled by the first that is told."""
    _weights: tuple[float, ...] = ()
    _cumulative: tuple[float, ...] = ()

    @property
    def labels(self) -> list[str]:
        return [candidate.label for candidate in self.ranked]

    def first(self, rng: Random, replay_safe: bool, prefer: Candidate | None = None) -> tuple[Candidate, str]:
        """Who is asked first, and the reason. The plan must not be empty."""
        if self.trial and replay_safe and rng.random() < TRIAL_SHARE:
            return self.trial[int(rng.random() * len(self.trial))], "recovery"
        if prefer is not None and prefer in self.ranked[: self.top]:
            return prefer, "batch_affinity"
        if self.strategy is Strategy.LOAD_BALANCED:
            return self.ranked[int(rng.random() * self.top)], self.reason
        if self._cumulative:
            return self.ranked[self._draw(rng)], self.reason
        if self.cold and replay_safe and (len(self.cold) == self.top or rng.random() < EXPLORE_SHARE):
            return self.cold[int(rng.random() * len(self.cold))], "exploration"
        return self.ranked[0], self.reason

    def rest(self, tried: Candidate, rng: Random) -> list[Candidate]:
        """The others in the order they are to be asked, each upstream once before any of them is asked twice, each
        channel once.
        """
        top = list(self.ranked[: self.top])
        if self.strategy is Strategy.LOAD_BALANCED:
            rng.shuffle(top)
        elif self._weights:
            top = [top[i] for i in race_order(self._weights, rng)]
        return _distinct_first([c for c in (*top, *self.ranked[self.top :]) if c is not tried], tried)

    def _draw(self, rng: Random) -> int:
        return min(bisect(self._cumulative, rng.random() * self._cumulative[-1]), self.top - 1)


def _distinct_first(order: Sequence[Candidate], tried: Candidate) -> list[Candidate]:
    """Another physical upstream is a better second try than another transport of the same one."""
    channels, instances = {tried.channel}, {tried.channel.instance_id}
    first: list[Candidate] = []
    second: list[Candidate] = []
    for candidate in order:
        if candidate.channel in channels:
            continue  # two names for one upstream
        (second if candidate.channel.instance_id in instances else first).append(candidate)
        channels.add(candidate.channel)
        instances.add(candidate.channel.instance_id)
    return first + second


def standing_of(candidate: Candidate, now: float, method: Method, order: Sequence[str] = ()) -> Standing:
    """What there is to rank `candidate` by. Its place in `order` (provider ids), if given, is its priority."""
    channel = candidate.channel
    half_open = channel.breaker.state(now) is State.HALF_OPEN
    return Standing(
        provider=candidate.provider.id,
        transport=channel.transport,
        priority=order.index(candidate.provider.id) if order else candidate.provider.priority,
        mean_s=channel.speed(method.row, now),
        tier=tier(half_open=half_open, limited=channel.limited(now), banned=channel.bans.banned(method.row, now)),
    )


def build(
    strategy: Strategy,
    candidates: Sequence[Candidate],
    excluded: Sequence[Exclusion],
    method: Method,
    version: int,
    now: float,
    due: float = inf,
    order: Sequence[str] = (),
) -> Plan:
    """Rank `candidates` (already filtered) for `method`. `due`: when the state it is made from will change by itself.

    `order`: provider ids, first choice first, for the strategy `priority`; empty means each provider's own priority.
    """
    standings = [standing_of(candidate, now, method, order) for candidate in candidates]
    ranking = rank(strategy, standings)
    best = standings[ranking[0]].tier if ranking else 0
    leaders = [i for i in ranking if standings[i].tier == best]
    by_speed = strategy is Strategy.FASTEST
    drawn = tuple(weights([standings[i] for i in leaders])) if strategy is Strategy.LATENCY_WEIGHTED else ()
    return Plan(
        strategy=strategy,
        reason=REASONS[strategy],
        ranked=tuple(candidates[i] for i in ranking),
        top=len(leaders),
        cold=tuple(candidates[i] for i in leaders if by_speed and standings[i].mean_s is None),
        trial=tuple(candidates[i] for i in ranking if best == 0 and standings[i].tier == HALF_OPEN_TIER),
        excluded=tuple(excluded),
        version=version,
        valid_until=min(now + REFRESH_S, due),
        weights=drawn,
        cumulative=tuple(accumulate(drawn)),
    )
