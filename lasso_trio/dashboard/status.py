"""How a provider is, in one word and one line: what colours the page. Pure reading.

The first that is true is said:

    cordoned · circuit_open · rate_limited · half_open · reconnecting     nothing, or little, can be sent there
    degraded · lagging                                                    it serves, but
    unknown · healthy

A channel without a connection (a WebSocket that is being dialled) is left out where another one serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from lasso_trio.providers.breaker import State
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.head import ChainCheck
from lasso_trio.providers.watched import Watched
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.routed_chain import RoutedChain

FAILURES: Final = 3
RECENT_CALLS: Final = 10
FAILING_SHARE: Final = 0.1
LAG_BLOCKS: Final = 2
"""Where the profile does not say how far behind is too far."""


class Status(StrEnum):
    CORDONED = "cordoned"
    CIRCUIT_OPEN = "circuit_open"
    RATE_LIMITED = "rate_limited"
    HALF_OPEN = "half_open"
    RECONNECTING = "reconnecting"
    DEGRADED = "degraded"
    LAGGING = "lagging"
    UNKNOWN = "unknown"
    HEALTHY = "healthy"


CANNOT_SERVE: Final = frozenset({Status.CORDONED, Status.CIRCUIT_OPEN, Status.RECONNECTING})
WELL: Final = frozenset({Status.HEALTHY, Status.UNKNOWN})

Said = tuple[Status, str]


def provider_status(routed: RoutedChain, candidates: Sequence[Candidate], now: float) -> Said:
    """The word, and why, for one provider's candidates (at least one)."""
    channels = [candidate.channel for candidate in candidates]
    live = [channel for channel in channels if channel.live]
    if any(channel.cordoned for channel in channels):
        return Status.CORDONED, "an operator took it out of service"
    if candidates[0].head.check is ChainCheck.WRONG:
        return Status.CIRCUIT_OPEN, f"it serves chain {candidates[0].head.told_chain}"
    if not live:
        return Status.RECONNECTING, "its WebSocket is being connected"
    return _shut(live, now) or _ailing(routed, candidates[0], live, now) or _idle(candidates, channels, live)


def chain_status(statuses: Sequence[Status]) -> str:
    """healthy, degraded or down."""
    if statuses and all(status in CANNOT_SERVE for status in statuses):
        return "down"
    return "healthy" if all(status in WELL for status in statuses) else "degraded"


def _shut(live: Sequence[Channel], now: float) -> Said | None:
    """When no channel can be used, the least bad word of them."""
    said = [_shut_channel(channel, now) for channel in live]
    order = (Status.HALF_OPEN, Status.RATE_LIMITED, Status.CIRCUIT_OPEN)
    shut = [each for each in said if each is not None]
    if len(shut) < len(live):
        return None
    return min(shut, key=lambda each: order.index(each[0]))


def _shut_channel(channel: Channel, now: float) -> Said | None:
    breaker, state = channel.breaker, channel.breaker.state(now)
    if state is State.OPEN:
        return Status.CIRCUIT_OPEN, f"{channel.transport.value} breaker open: {breaker.reason}"
    if channel.cooldown.active(now):
        left = channel.cooldown.remaining(now)
        return Status.RATE_LIMITED, f"{channel.transport.value} rate-limited, {left:.0f} s left"
    if state is State.HALF_OPEN:
        return Status.HALF_OPEN, f"{channel.transport.value} breaker half-open after {breaker.reason}"
    return None


def _ailing(routed: RoutedChain, candidate: Candidate, live: Sequence[Channel], now: float) -> Said | None:
    for channel in live:
        why = _failing(channel, now)
        if why:
            return Status.DEGRADED, why
    watched = _watched(routed, candidate)
    if watched.failures >= FAILURES - 1:
        return Status.DEGRADED, f"{watched.failures} probes in a row failed"
    if watched.sessions and not watched.connected:
        return Status.DEGRADED, "its WebSocket was lost and is being connected again"
    lag = routed.heads.lag(candidate.channel.instance_id, now)
    most = routed.chain.selection.max_lag_blocks or LAG_BLOCKS
    if lag is not None and lag < -most:
        return Status.LAGGING, f"{-lag} blocks behind"
    return None


def _failing(channel: Channel, now: float) -> str:
    transport, failures = channel.transport.value, channel.breaker.failures
    shut = _shut_channel(channel, now)
    if shut is not None:
        return shut[1]
    if failures >= FAILURES:
        return f"{failures} {transport} failures in a row"
    calls, failed = channel.breaker.window.totals(now)
    if calls >= RECENT_CALLS and failed >= FAILING_SHARE * calls:
        return f"{failed:g} of the last {calls} {transport} calls failed"
    return ""


def _idle(candidates: Sequence[Candidate], channels: Sequence[Channel], live: Sequence[Channel]) -> Said:
    head = candidates[0].head
    if head.height is None and not any(candidate.tally.answered for candidate in candidates):
        return Status.UNKNOWN, "nothing was heard of it yet"
    return Status.HEALTHY, "" if len(live) == len(channels) else "its WebSocket is being connected"


def _watched(routed: RoutedChain, candidate: Candidate) -> Watched:
    instance = routed.registry.instances.get(candidate.channel.instance_id)  # a reload may have taken it away
    return Watched() if instance is None else instance.watched
