"""Tells of each provider of a profile's chain: what it did for that profile, and whether calls may be sent to it.

`lasso_provider_info` joins a profile's name for a provider with the upstream behind it, which profiles may share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from lasso_trio.providers.breaker import State
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.telemetry.across import Across
from lasso_trio.telemetry.prometheus import Table, counter, gauge

_PROVIDER: Final = "profile chain provider"
_CANDIDATE: Final = f"{_PROVIDER} transport"

ATTEMPTS = counter("lasso_attempts_total", _CANDIDATE, "Dispatches of calls to the provider.")
ANSWERED = counter("lasso_attempts_answered_total", _CANDIDATE, "Attempts that were answered.")
FAILED = counter("lasso_attempts_failed_total", _CANDIDATE, "Attempts whose failure is the provider's fault.")
THROTTLED = counter("lasso_attempts_throttled_total", _CANDIDATE, "Attempts refused for a rate limit or a quota.")
SECONDS = counter("lasso_attempts_answered_seconds_total", _CANDIDATE, "Seconds that the answered attempts took.")
AVAILABLE = gauge(
    "lasso_provider_available", _PROVIDER, "1 if calls may be sent to the provider now, else 0.", Across.KEEPER
)
HEIGHT = gauge("lasso_provider_head_height", _PROVIDER, "Block number of the provider's head.", Across.KEEPER)
HEAD_AGE = gauge(
    "lasso_provider_head_age_seconds", _PROVIDER, "Seconds since the provider last told its head.", Across.KEEPER
)
LAG = gauge(
    "lasso_provider_lag_blocks",
    _PROVIDER,
    "Blocks that the provider is behind the consensus; 0 if it is not.",
    Across.KEEPER,
)
INFO = gauge(
    "lasso_provider_info",
    f"{_PROVIDER} upstream",
    "1: the upstream that the profile's provider stands for.",
    Across.KEEPER,
)

FAMILIES: Final = (ATTEMPTS, ANSWERED, FAILED, THROTTLED, SECONDS, AVAILABLE, HEIGHT, HEAD_AGE, LAG, INFO)


def available(candidate: Candidate, now: float) -> bool:
    """May a call be sent there: connected, in service, on the right chain, its breaker not open?"""
    channel = candidate.channel
    if not channel.live or channel.cordoned or not candidate.head.check.may_serve:
        return False
    return channel.breaker.state(now) is not State.OPEN


def read_providers(directory: Callable[[], Directory], table: Table, now: float) -> Iterator[None]:
    """One chain at a time."""
    for routed in directory().chains():
        for candidate in routed.candidates:
            _tally(routed, candidate, table)
        for provider in {c.provider.id: c for c in routed.candidates}.values():
            _provider(routed, provider, table, now)
        yield


def _tally(routed: RoutedChain, candidate: Candidate, table: Table) -> None:
    tally = candidate.tally
    who = (routed.profile.slug, routed.chain.key, candidate.provider.id, candidate.transport.value)
    table.add(ATTEMPTS, tally.attempts, *who)
    table.add(ANSWERED, tally.answered, *who)
    table.add(FAILED, tally.failures, *who)
    table.add(THROTTLED, tally.throttled, *who)
    table.add(SECONDS, tally.seconds, *who)


def _provider(routed: RoutedChain, candidate: Candidate, table: Table, now: float) -> None:
    """`candidate`: any of the provider's; they share its head."""
    id_, head, upstream = candidate.provider.id, candidate.head, candidate.channel.instance_id
    who = (routed.profile.slug, routed.chain.key, id_)
    up = any(available(c, now) for c in routed.candidates if c.provider.id == id_)
    table.add(AVAILABLE, int(up), *who)
    table.add(INFO, 1, *who, upstream)
    if head.height is not None:
        table.add(HEIGHT, head.height, *who)
        table.add(HEAD_AGE, now - head.at, *who)
    lag = routed.heads.lag(upstream, now)
    if lag is not None:
        table.add(LAG, max(0, -lag), *who)
