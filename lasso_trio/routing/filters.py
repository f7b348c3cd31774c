"""Who is left out of a plan, and why. Plain functions on candidates; nothing here is remembered.

A filter that would leave nobody is skipped where the original skips it (abilities), because a provider that may
refuse is better than none at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import attrs
import msgspec

from lasso_trio.config.profile import Capabilities, Limits, Transport
from lasso_trio.jsonrpc.methods import WEBSOCKET_ONLY, Method
from lasso_trio.providers.breaker import State
from lasso_trio.providers.head import ChainCheck
from lasso_trio.routing.candidate import Candidate


@attrs.frozen
class Exclusion:
    """One candidate that a plan leaves out. `reason` is one word for logs, counters and the explain answer."""

    label: str
    reason: str


Split = tuple[list[Candidate], list[Exclusion]]


def _partition(candidates: Iterable[Candidate], keep: Callable[[Candidate], bool], reason: str) -> Split:
    kept: list[Candidate] = []
    dropped: list[Exclusion] = []
    for candidate in candidates:
        if keep(candidate):
            kept.append(candidate)
        else:
            dropped.append(Exclusion(candidate.label, reason))
    return kept, dropped


def by_provider(candidates: Iterable[Candidate], allowed: Sequence[str]) -> Split:
    return _partition(candidates, lambda c: c.provider.id in allowed, "not_named")


def by_transport(candidates: Iterable[Candidate], method: Method, wanted: Transport | None) -> Split:
    """The transport the client asked for; WebSocket-only methods need `ws` whatever was asked. A channel must be
    live.
    """
    only = Transport.WS if method.name in WEBSOCKET_ONLY else wanted
    kept, dropped = _partition(candidates, lambda c: only is None or c.transport is only, "transport")
    live, dead = _partition(kept, lambda c: c.channel.live, "not_connected")
    return live, dropped + dead


def by_cordon(candidates: Iterable[Candidate]) -> Split:
    """Without those that an operator took out of service, whoever asks for them."""
    return _partition(candidates, lambda c: not c.channel.cordoned, "cordoned")


SHUT: Final = frozenset({"breaker_open", "quarantined"})
"""The reasons that `by_breaker` gives."""


def by_breaker(candidates: Iterable[Candidate], now: float) -> Split:
    """Without those whose breaker is open; `quarantined` ones (a refused key, an operator's word) are said to be so."""
    admitted: list[Candidate] = []
    shut: list[Exclusion] = []
    for candidate in candidates:
        breaker = candidate.channel.breaker
        if breaker.state(now) is not State.OPEN:
            admitted.append(candidate)
        else:
            shut.append(Exclusion(candidate.label, "quarantined" if breaker.quarantined else "breaker_open"))
    return admitted, shut


def by_chain(candidates: Iterable[Candidate]) -> Split:
    """Only who serves this chain: `wrong_chain` says another id, `unverified` has not been asked yet."""
    kept, dropped = _partition(candidates, lambda c: c.head.check is not ChainCheck.WRONG, "wrong_chain")
    asked, unasked = _partition(kept, lambda c: c.head.check.may_serve, "unverified")
    return asked, dropped + unasked


def by_lag(candidates: Sequence[Candidate], lag: Callable[[Candidate], int | None], most: int) -> Split:
    """Who is at most `most` blocks behind. An unknown lag is none. When all lag all are kept."""
    kept, dropped = _partition(candidates, lambda c: (its := lag(c)) is None or its >= -most, "lagging")
    return (kept, dropped) if kept else (list(candidates), [])


def by_archive(candidates: Sequence[Candidate]) -> Split:
    """Who keeps old state. Fails open when nobody does."""
    kept, dropped = _partition(candidates, lambda c: c.provider.archival, "not_archival")
    return (kept, dropped) if kept else (list(candidates), [])


def by_depth(candidates: Sequence[Candidate], oldest: int | None, now: float, *, state: bool = False) -> Split:
    """Without those that told that they (`state`: or their state) begin after the block `oldest`. Fails open when all
    do; None: no number.
    """
    if oldest is None:
        return list(candidates), []
    kept, dropped = _partition(candidates, lambda c: c.channel.learned.reaches(oldest, now, state=state), "pruned")
    return (kept, dropped) if kept else (list(candidates), [])


def by_age(candidates: Sequence[Candidate], method: Method, oldest: int | None, head: int | None) -> Split:
    """Without those whose profile says that they refuse `method` for blocks as old as `oldest`; fails open when all do.

    None: the call names no number, or nobody knows the head; then nobody is too old for anybody.
    """
    if oldest is None or head is None:
        return list(candidates), []
    age = head - oldest
    kept, dropped = _partition(candidates, lambda c: _accepts(c.provider.capabilities.limits, method, age), "block_age")
    return (kept, dropped) if kept else (list(candidates), [])


def _accepts(limits: Limits, method: Method, age: int) -> bool:
    return limits.max_block_age is None or age <= limits.max_block_age or method.name not in limits.block_age_methods


def can_serve(capabilities: Capabilities, method: Method) -> bool:
    return (
        method.category not in capabilities.unsupported_categories
        and method.name not in capabilities.unsupported_methods
    )


def by_ability(candidates: Sequence[Candidate], method: Method) -> Split:
    """Fails open, except for methods that only a node with keys of its own could serve."""
    kept, dropped = _partition(candidates, lambda c: can_serve(c.provider.capabilities, method), "unsupported_method")
    if kept or method.category == "local_only":
        return kept, dropped
    return list(candidates), []


def by_block_range(candidates: Sequence[Candidate], span: int | None) -> Split:
    """Fails open when every candidate's limit is below `span` (`toBlock - fromBlock`, as `max_block_range` counts).

    A span of None is unknown, hence allowed.
    """
    if span is None:
        return list(candidates), []
    kept, dropped = _partition(candidates, lambda c: _takes(c, span), "block_range")
    return (kept, dropped) if kept else (list(candidates), [])


def _takes(candidate: Candidate, span: int) -> bool:
    limit = candidate.provider.capabilities.limits.max_block_range
    return limit is None or span <= limit


class _LogFilter(msgspec.Struct, rename="camel"):
    from_block: str | None = None
    to_block: str | None = None
    block_hash: str | None = None


_decode_log_filter: Final = msgspec.json.Decoder(tuple[_LogFilter]).decode


def block_span(params: bytes) -> int | None:
    """`toBlock - fromBlock` of an eth_getLogs call, when both are given as numbers."""
    try:
        (wanted,) = _decode_log_filter(params)
        return abs(int(wanted.to_block or "", 16) - int(wanted.from_block or "", 16))
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def blocks_of(params: bytes, heights: Mapping[str, int | None]) -> int | None:
    """How many blocks an eth_getLogs call is over, both ends included; None where that cannot be known.

    `heights`: what tags stand for. A bound that is not given is `latest`, as nodes have it (EIP-1474); a block hash
    names one block.
    """
    try:
        (wanted,) = _decode_log_filter(params)
        first, last = (bound or "latest" for bound in (wanted.from_block, wanted.to_block))
        if wanted.block_hash is not None or first == last:
            return 1
        low, high = _height(first, heights), _height(last, heights)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return None if low is None or high is None else abs(high - low) + 1


def _height(bound: str, heights: Mapping[str, int | None]) -> int | None:
    return heights[bound] if bound in heights else int(bound, 16)
