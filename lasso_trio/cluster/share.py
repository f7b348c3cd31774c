"""This node's own snapshot, read off the live counters.

Reading three thousand histograms takes tens of milliseconds, so it is done in pieces: other tasks run after each
provider. The figures of one snapshot are therefore not all of the same instant, which nobody can see.
"""

from __future__ import annotations

from collections.abc import Iterable

import trio

from lasso_trio import __version__
from lasso_trio.cluster.snapshot import ChainShare, MethodShare, ProviderShare, Snapshot, WindowShare, pack_methods
from lasso_trio.providers.latency import Evidence, Window
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.telemetry.node import Node


async def own_snapshot(node: Node, directory: Directory, sequence: int) -> Snapshot:
    """Cancelled: nothing has happened."""
    chains = [await _chain(routed) for routed in directory.chains()]
    uptime_s = node.uptime_s(trio.current_time())
    return Snapshot(sequence, __version__, node.readiness.value, uptime_s, tuple(chains))


async def _chain(routed: RoutedChain) -> ChainShare:
    groups: dict[str, list[Candidate]] = {}
    for candidate in routed.candidates:
        groups.setdefault(candidate.provider.id, []).append(candidate)
    providers = []
    for candidates in groups.values():
        providers.append(provider_share(routed, candidates, trio.current_time()))
        await trio.lowlevel.checkpoint()
    counts, now = routed.counts, trio.current_time()
    return ChainShare(
        routed.profile.slug,
        routed.chain.key,
        routed.chain.chain_id,
        counts.calls,
        counts.errors,
        counts.limited,
        counts.call_rate.per_second(now),
        tuple(providers),
    )


def provider_share(routed: RoutedChain, candidates: list[Candidate], now: float) -> ProviderShare:
    """`candidates`: those of one provider."""
    by_method: dict[str, list[Evidence]] = {}
    for candidate in candidates:
        for method, evidence in candidate.channel.evidence.items():
            by_method.setdefault(method, []).append(evidence)
    methods = tuple(_method(method, rows, now) for method, rows in by_method.items())
    first, tallies = candidates[0], [candidate.tally for candidate in candidates]
    return ProviderShare(
        first.provider.id,
        first.provider.name,
        any(c.channel.live and c.channel.breaker.retry_after(now) == 0 for c in candidates),
        sum(tally.attempts for tally in tallies),
        sum(tally.answered for tally in tallies),
        sum(tally.failures for tally in tallies),
        sum(tally.throttled for tally in tallies),
        routed.heads.lag(first.channel.instance_id, now),
        WindowShare.of(merged(method.window.window() for method in methods)),
        pack_methods(methods),
    )


def _method(method: str, evidence: list[Evidence], now: float) -> MethodShare:
    window = merged(row.window(now) for row in evidence)
    answered, failures = sum(e.successes_total for e in evidence), sum(e.failures_total for e in evidence)
    return MethodShare(method, answered, failures, WindowShare.of(window))


def merged(windows: Iterable[Window]) -> Window:
    whole = Window()
    for window in windows:
        whole.merge(window)
    return whole
