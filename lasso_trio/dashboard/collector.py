"""Reads the counters every five seconds and files what they grew by: the memory behind the dashboard's lines.

Calls pay nothing for it, they count anyway. A round looks at a few methods at a time and lets calls go in between.
`MOST_METHODS` methods have lines of their own; the others are in those of their channels.

    chain:   (profile, chain)          its calls, and the attempts' latencies
    channel: (instance, transport)     shared by the profiles that name it
    method:  (instance, transport, method)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final

import attrs

from lasso_trio.dashboard import bins
from lasso_trio.dashboard.series import Point, Series
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.latency import Evidence, Window
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.routed_chain import RoutedChain

MOST_METHODS: Final = 256
METHODS_AT_ONCE: Final = 16
SILENT_S: Final = 3600.0
STALE_S: Final = 30.0
"""How old a quiet row's figures may be before they are read anew."""

Key = tuple[str, ...]


def chain_key(routed: RoutedChain) -> Key:
    return (routed.profile.slug, routed.chain.key)


def channel_key(channel: Channel) -> Key:
    return (channel.instance_id, channel.transport.value)


@attrs.define(eq=False)
class _Seen:
    """One evidence as it was read last."""

    successes: int = 0
    failures: int = 0
    bins: dict[int, int] = attrs.field(factory=dict)
    seconds: float = 0.0
    window: Window = attrs.field(factory=Window)
    read_at: float = 0.0


@attrs.frozen
class _Counted:
    calls: int = 0
    errors: int = 0
    failovers: int = 0
    hedges: int = 0


@attrs.frozen
class Figures:
    """Recent evidence in a few numbers: answers and failures, and latencies in milliseconds (None: no answer)."""

    answers: int = 0
    failures: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None

    @classmethod
    def of(cls, window: Window) -> Figures:
        found = window.quantiles(0.50, 0.95, 0.99)
        p50, p95, p99 = (None if seconds is None else round(seconds * 1000, 2) for seconds in found)
        return cls(window.latency.count, window.failures, p50, p95, p99)

    @property
    def percentiles(self) -> dict[str, float | None]:
        return {"p50_ms": self.p50_ms, "p95_ms": self.p95_ms, "p99_ms": self.p99_ms}


@attrs.define(eq=False)
class Collector:
    """`windows`: the recent evidence of each channel, all methods together, as of the last round.

    `on_failovers` is told of a chain and of how often its calls failed over since the last round.
    """

    chains: dict[Key, Series] = attrs.field(factory=dict)
    channels: dict[Key, Series] = attrs.field(factory=dict)
    methods: dict[Key, Series] = attrs.field(factory=dict)
    windows: dict[Key, Window] = attrs.field(factory=dict)
    on_failovers: Callable[[RoutedChain, int], None] = lambda *_: None
    _figures: dict[frozenset[Key], Figures] = attrs.field(factory=dict)
    _seen: dict[Key, _Seen] = attrs.field(factory=dict)
    _counted: dict[Key, _Counted] = attrs.field(factory=dict)

    def round(self, directory: Directory, now: float, wall: float) -> Iterator[None]:
        """One reading of everything; stops after each channel so that others may run."""
        grown: dict[Key, Point] = {}
        self._make_room(wall)
        for instance in tuple(directory.registry.instances.values()):
            for channel in instance.channels.values():
                yield from self._channel(channel, grown, now, wall)
        for routed in tuple(directory.chains()):
            self._chain(routed, grown, now, wall)
            yield
        self._figures.clear()
        for group in _groups(directory):
            self.figures(group)  # now, and not in a snapshot, which may not take long
            yield
        self._forget({*grown}, {chain_key(routed) for routed in directory.chains()})

    def figures(self, channels: Collection[Channel]) -> Figures:
        """Of several channels together, as of the last round."""
        key = frozenset(channel_key(channel) for channel in channels)
        known = self._figures.get(key)
        if known is None:
            known = self._figures[key] = Figures.of(self.window(channels))
        return known

    def window(self, channels: Collection[Channel]) -> Window:
        """The recent evidence of several channels together."""
        whole = Window()
        for key in {channel_key(channel) for channel in channels}:
            known = self.windows.get(key)
            if known is not None:
                whole.merge(known)
        return whole

    def _channel(self, channel: Channel, grown: dict[Key, Point], now: float, wall: float) -> Iterator[None]:
        key, whole, total = channel_key(channel), Window(), Point()
        for number, (method, evidence) in enumerate(tuple(channel.evidence.items()), 1):
            if number % METHODS_AT_ONCE == 0:
                yield
            seen = self._seen.setdefault((*key, method), _Seen(read_at=now))
            point = _read(evidence, seen, now)
            whole.merge(seen.window)
            if point is not None:
                total = total.plus(point)
                self._method((*key, method), point, wall)
        self.windows[key] = whole
        grown[key] = total
        if total.calls:
            self.channels.setdefault(key, Series()).add(total, wall)
        yield

    def _method(self, key: Key, point: Point, wall: float) -> None:
        series = self.methods.get(key)
        if series is None and len(self.methods) < MOST_METHODS:
            series = self.methods[key] = Series()
        if series is not None:
            series.add(point, wall)

    def _make_room(self, wall: float) -> None:
        """Only who was silent for long makes room: else rows would push each other out, and nobody had a history."""
        if len(self.methods) >= MOST_METHODS:
            for key in [key for key, series in self.methods.items() if wall - series.touched > SILENT_S]:
                del self.methods[key]

    def _chain(self, routed: RoutedChain, grown: dict[Key, Point], now: float, wall: float) -> None:
        key, counts = chain_key(routed), routed.counts
        fresh = _Counted(counts.calls, counts.errors, counts.failovers, counts.hedges.fired)
        before, self._counted[key] = self._counted.get(key, _Counted()), fresh
        latency = Point()
        for channel in {channel_key(c.channel): c.channel for c in routed.candidates}.values():
            latency = latency.plus(grown.get(channel_key(channel), Point()))
        point = Point(
            max(0, fresh.calls - before.calls),
            max(0, fresh.errors - before.errors),
            latency.seconds,
            latency.bins,
            max(0, fresh.failovers - before.failovers),
            max(0, fresh.hedges - before.hedges),
        )
        if point.failovers:
            self.on_failovers(routed, point.failovers)
        if point.calls or point.bins:
            self.chains.setdefault(key, Series()).add(point, wall)
        self._lags(routed, now, wall)

    def _lags(self, routed: RoutedChain, now: float, wall: float) -> None:
        for channel in {c.channel.instance_id: c.channel for c in routed.candidates}.values():
            lag = routed.heads.lag(channel.instance_id, now)
            if lag is not None:
                self.channels.setdefault(channel_key(channel), Series()).add(Point(lag=lag), wall)

    def _forget(self, channels: set[Key], chains: set[Key]) -> None:
        """What a reload took away."""
        for kept in (self.channels, self.windows, self.methods, self._seen):
            for key in [key for key in kept if key[:2] not in channels]:
                del kept[key]
        for line in (self.chains, self._counted):
            for key in [key for key in line if key not in chains]:
                del line[key]


def _groups(directory: Directory) -> Iterator[list[Channel]]:
    """What is shown in one row: a provider, a chain, a profile."""
    for profile in tuple(directory.profiles.values()):
        for routed in profile.chains:
            for provider in routed.chain.providers:
                yield [c.channel for c in routed.candidates if c.provider.id == provider.id]
            yield [c.channel for c in routed.candidates]
        yield [c.channel for routed in profile.chains for c in routed.candidates]


def _read(evidence: Evidence, seen: _Seen, now: float) -> Point | None:
    """What `evidence` grew by since it was `seen`, or None; `seen` is brought up to date.

    When its window turned in between, the answers are counted, but their latencies are not known.
    """
    successes = evidence.successes_total - seen.successes
    failures = evidence.failures_total - seen.failures
    if not successes and not failures and now - seen.read_at < STALE_S:
        return None
    before, seconds = seen.bins, seen.seconds
    _note(evidence, seen, now)
    if not successes and not failures:
        return None
    grown = bins.grown(before, seen.bins)
    if grown is None or sum(grown.values()) != successes:
        return Point(successes + failures, failures)
    return Point(successes + failures, failures, seen.seconds - seconds, grown)


def _note(evidence: Evidence, seen: _Seen, now: float) -> None:
    seen.window, seen.read_at = evidence.window(now), now
    seen.bins, seen.seconds = bins.of_buckets(seen.window.latency.buckets), seen.window.latency.total
    seen.successes, seen.failures = evidence.successes_total, evidence.failures_total
