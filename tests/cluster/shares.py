"""Snapshots for tests, in few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lasso_trio.cluster.snapshot import ChainShare, MethodShare, ProviderShare, Snapshot, WindowShare, pack_methods
from lasso_trio.providers.latency import Window


def window(seconds: Sequence[float] = (), failures: int = 0) -> Window:
    made = Window()
    for each in seconds:
        made.latency.add(each)
    made.failures = failures
    return made


def provider(name: str, seconds: Sequence[float], *, failures: int = 0, method: str = "eth_call") -> ProviderShare:
    share, count = WindowShare.of(window(seconds, failures)), len(seconds)
    methods = pack_methods((MethodShare(method, count, failures, share),))
    attempts = count + failures
    return ProviderShare(name, name.title(), True, attempts, count, failures, 0, -1, share, methods)


def snapshot(
    providers: Mapping[str, Sequence[float]] | None = None,
    *,
    calls: int = 0,
    sequence: int = 1,
    chain: str = "ethereum",
    profile: str = "public",
) -> Snapshot:
    """One chain's; `providers`: the seconds that answers took."""
    rows = tuple(provider(name, seconds) for name, seconds in (providers or {}).items())
    return Snapshot(sequence, "1.0", "ready", 60.0, (ChainShare(profile, chain, 1, calls, 0, 0, 1.5, rows),))
