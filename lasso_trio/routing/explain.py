"""Why a call would go where it would go: what `POST /rpc/…?explain=1` answers. Nothing is sent and nothing is counted.

Made from the very plan that the call would use (`explain_plan`), and from the state that the plan was made of. Pure
reading: `Row`s are JSON. Times are milliseconds, heights block numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import isinf
from typing import Any, Final

import attrs

from lasso_trio.config.profile import HedgePolicy
from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.jsonrpc.methods import Method
from lasso_trio.providers.breaker import State
from lasso_trio.providers.channel import Channel
from lasso_trio.routing import archival, log_filter
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.explain_plan import Foreseen
from lasso_trio.routing.hedge import delay_s, policy_for
from lasso_trio.routing.log_filter import LogQuery
from lasso_trio.routing.log_refusals import cap_of
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.plan import Plan, standing_of
from lasso_trio.routing.routed_chain import RoutedChain

Row = dict[str, Any]

WORDS: Final[Mapping[str, str]] = {
    "cordoned": "an operator took it out of service",
    "transport": "not the transport that was asked for, or that the method needs",
    "not_connected": "this transport has no open connection",
    "unsupported_method": "its profile says that it does not have this method",
    "wrong_chain": "it told the id of another chain",
    "unverified": "it has not told yet which chain it serves",
    "breaker_open": "its breaker is open",
    "quarantined": "it is kept out until it was looked at: a refused key, or an operator's word",
    "lagging": "it is further behind than the chain's max_lag_blocks",
    "not_archival": "the call needs old state, which it does not keep",
    "pruned": "it told that it keeps no blocks as old as that",
    "block_age": "its profile's max_block_age says that it refuses this method for blocks so old",
    "block_range": "the range is wider than the max_block_range of its profile",
    "log_limits": "it does not take so many blocks, addresses or topics at once",
    "behind": "it has not told of the block that this answer must not be below",
    "over_http": "filters are made over its HTTP, where every worker can ask for them",
    "not_named": "the call, or the profile's override for this method, names other providers",
}


@attrs.frozen
class Asked:
    """What is to be explained. `first` and `reason`: as drawn for this explanation; a call draws anew."""

    chain: RoutedChain
    method: Method
    params: bytes
    foreseen: Foreseen
    now: float
    first: Candidate | None = None
    reason: str = ""
    pinned: str | None = None
    hedge_s: float | None = None
    """After how long its client wants it hedged, infinity for not at all; None: as the profile says."""
    query: LogQuery | None = attrs.field(init=False)
    """Of an `eth_getLogs`, where it can be read."""

    @query.default
    def _query(self) -> LogQuery | None:
        if self.method.name != "eth_getLogs":
            return None
        return log_filter.read(self.params, partial(self.chain.height_of, now=self.now))

    @property
    def plan(self) -> Plan:
        return self.foreseen.plan


def explain_here(outcome: Outcome, basics: Row) -> Row:
    """A call that no provider would be asked: refused, or answered by ourselves."""
    refusal = outcome.error
    return {**basics, "answer": "refused" if refusal else "local", "refusal": _refusal(refusal), "candidates": []}


def explain(asked: Asked, basics: Row) -> Row:
    """`basics`: what is to be said of every call (chain, method, strategy, deadline)."""
    return {
        **basics,
        "answer": asked.foreseen.answer,
        "refusal": _refusal(asked.foreseen.refusal),
        "parts": asked.foreseen.parts,
        "chosen_first": None if asked.first is None else {"label": asked.first.label, "reason": asked.reason},
        "hedge": _hedge(asked),
        "block": _block(asked),
        "candidates": [_candidate(asked, rank, c) for rank, c in enumerate(asked.plan.ranked)],
        "excluded": _excluded(asked),
    }


def _hedge(asked: Asked) -> Row | None:
    """None: such calls are not hedged. `delay_ms`: after which the first is raced, if the budget has a token then."""
    policy = _hedge_policy(asked)
    if policy is None or asked.first is None:
        return None
    evidence = asked.first.channel.evidence.get(asked.method.row)
    counts, wanted = asked.chain.counts, asked.hedge_s
    delay = delay_s(policy, asked.method, evidence, asked.now) if wanted is None else wanted
    return {
        "delay_ms": round(delay * 1000, 2),
        "quantile": policy.quantile,
        "most_extra": policy.max_extra,
        "suppressed": counts.hedges.refusal(policy.budget, counts.sent, 0) or None,
    }


def _hedge_policy(asked: Asked) -> HedgePolicy | None:
    """The profile's; what the client says wins, also where the profile has none."""
    policy = policy_for(asked.chain.chain.routing, asked.method, asked.plan.strategy)
    if asked.hedge_s is None:
        return policy
    if isinf(asked.hedge_s) or not asked.method.replay_safe or len(asked.plan.ranked) < 2:
        return None
    return policy or HedgePolicy(enabled=True)


def _refusal(error: RpcError | None) -> Row | None:
    return None if error is None else {"code": error.code, "message": str(error), "category": error.category}


def _block(asked: Asked) -> Row:
    """What the chain's head is taken for, and what the parameters ask of it."""
    view, need = asked.chain.heads.view(asked.now), archival.NOTHING
    if asked.method.name in archival.BLOCK_BOUND:
        need = archival.read(asked.method.name, asked.params)
    old = need.archival(view.consensus, asked.chain.chain.selection.archival_threshold)
    return {
        "head": view.consensus,
        "safe": view.safe,
        "finalized": view.finalized,
        "lowest": need.low,
        "highest": need.high,
        "span": _span(asked),
        "needs_old_state": old and asked.method.name in archival.ARCHIVAL,
        "least": asked.foreseen.floor,
    }


def _span(asked: Asked) -> int | None:
    return None if asked.query is None else asked.query.blocks - 1


def _candidate(asked: Asked, rank: int, candidate: Candidate) -> Row:
    """`tied`: shares the best tier, whose order is the strategy's (or the dice's) business."""
    order = () if asked.pinned else asked.chain.override(asked.method).providers
    standing = standing_of(candidate, asked.now, asked.method, order)
    return {
        "rank": rank + 1,
        **_who(candidate),
        "tier": standing.tier,
        "tied": rank < asked.plan.top,
        "unmeasured": standing.mean_s is None,
        "priority": standing.priority,
        **_state(asked, candidate),
    }


def _excluded(asked: Asked) -> list[Row]:
    """Everybody else of the chain. Who is in no list of the plan was not named."""
    reasons = {exclusion.label: exclusion.reason for exclusion in asked.plan.excluded}
    planned = {candidate.label for candidate in asked.plan.ranked}
    rows = []
    for candidate in asked.chain.candidates:
        if candidate.label not in planned:
            reason = reasons.get(candidate.label, "not_named")
            rows.append({**_who(candidate), "reason": reason, "why": WORDS[reason], **_state(asked, candidate)})
    return rows


def _who(candidate: Candidate) -> Row:
    return {
        "label": candidate.label,
        "provider": candidate.provider.id,
        "transport": candidate.transport.value,
        "instance": candidate.channel.instance_id,
    }


def _state(asked: Asked, candidate: Candidate) -> Row:
    channel, now, method = candidate.channel, asked.now, asked.method
    expected = channel.speed(method.row, now)
    return {
        "expected_ms": None if expected is None else round(expected * 1000, 2),
        "breaker": _breaker(channel, now),
        "cooldown_ms": _ms(channel.cooldown.remaining(now)),
        "paced": channel.pacing.over(now),
        "budget_spent": channel.budget is not None and channel.budget.over(now),
        "method_banned": channel.bans.banned(method.row, now),
        "in_flight": channel.in_flight,
        "head": _head(asked, candidate),
        "limits": _limits(asked, candidate),
    }


def _breaker(channel: Channel, now: float) -> Row:
    breaker = channel.breaker
    state = breaker.state(now)
    return {
        "state": state.value,
        "reason": breaker.reason or None,
        "quarantined": breaker.quarantined,
        "retry_after_ms": _ms(breaker.retry_after(now)) if state is State.OPEN else 0,
    }


def _head(asked: Asked, candidate: Candidate) -> Row:
    head, heads, least = candidate.head, asked.chain.heads, asked.foreseen.floor
    return {
        "chain": head.check.value,
        "told_chain_id": head.told_chain,
        "height": head.height,
        "lag": heads.lag(candidate.channel.instance_id, asked.now),
        "has_least": None if least is None else heads.has_block(head, least, asked.now),
    }


def _limits(asked: Asked, candidate: Candidate) -> Row:
    """`takes_range`: would this `eth_getLogs` go there whole? None for other calls and bounds that nobody knows."""
    learned, query = candidate.channel.learned, asked.query
    return {
        "max_block_range": candidate.provider.capabilities.limits.max_block_range,
        "learned": learned.known(asked.now),
        "takes_range": None if query is None else cap_of(candidate, asked.now).takes(query),
    }


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
