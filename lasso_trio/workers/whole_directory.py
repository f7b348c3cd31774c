"""The directory as operators are shown it: this worker's, with the figures of all workers in it.

A copy for looking at. Its chains, candidates and channels are copies that share everything with those that serve but
the counts, which are sums; nothing that is shown writes to it, and no call is ever routed by it. What others told of a
method is found live, so that a copy costs a few microseconds for each channel whatever the number of methods.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, cast

import attrs

from lasso_trio.config.profile import Transport
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.latency import Evidence, Window
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.directory import Directory, RoutedProfile
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.workers.figure_sums import counts_with, tally_with, window_of
from lasso_trio.workers.figures import CandidateFigures, ChainFigures, RowFigures

WINDOW_S: float = 300.0
"""For so long a told window is believed, as one's own is at most."""

Heard = Sequence[tuple[RowFigures, float]]
"""What others told of a method, each with the time when that was heard."""


class Others(Protocol):
    """What was heard of the others, those that are gone among them."""

    def chain(self, profile: str, chain: str) -> Sequence[tuple[ChainFigures, float]]: ...

    def candidate(self, profile: str, chain: str, label: str) -> Sequence[tuple[CandidateFigures, float]]: ...

    def methods(self, instance: str, transport: str) -> Sequence[str]: ...

    def row(self, instance: str, transport: str, method: str) -> Heard: ...

    def in_flight(self, instance: str, transport: str) -> int: ...


@attrs.frozen(eq=False)
class WholeEvidence:
    """What is shown of an `Evidence`, of all workers together. `own`: this worker's, if it has any."""

    own: Evidence | None
    told: Heard

    @property
    def successes_total(self) -> int:
        own = 0 if self.own is None else self.own.successes_total
        return own + sum(row.answered for row, _ in self.told)

    @property
    def failures_total(self) -> int:
        own = 0 if self.own is None else self.own.failures_total
        return own + sum(row.failed for row, _ in self.told)

    def window(self, now: float) -> Window:
        whole = Window() if self.own is None else self.own.window(now)
        for row, at in self.told:
            if now - at < WINDOW_S:
                whole.merge(window_of(row))
        return whole


@attrs.frozen(eq=False)
class WholeRows(Mapping[str, Evidence]):
    """A channel's evidence by method, with that of the others."""

    channel: Channel
    others: Others

    def __getitem__(self, method: str) -> Evidence:
        own = self.channel.evidence.get(method)
        told = self.others.row(self.channel.instance_id, self.channel.transport.value, method)
        if not told and own is None:
            raise KeyError(method)
        return own if own is not None and not told else cast("Evidence", WholeEvidence(own, told))

    def __iter__(self) -> Iterator[str]:
        own = self.channel.evidence
        yield from own
        told = self.others.methods(self.channel.instance_id, self.channel.transport.value)
        yield from (method for method in told if method not in own)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@attrs.frozen(eq=False)
class WholeDirectory:
    """Makes the copies. `others` is asked at each."""

    others: Others

    def of(self, directory: Directory, now: float) -> Directory:
        """As it stands now."""
        registry = copy.copy(directory.registry)
        registry.instances = {}
        channels: dict[Channel, Channel] = {}
        for id_, instance in directory.registry.instances.items():
            seen = registry.instances[id_] = copy.copy(instance)
            seen.channels = {transport: self._channel(channel) for transport, channel in instance.channels.items()}
            if Transport.WS in seen.channels:
                seen.channels[Transport.WS].live_elsewhere = instance.watched.connected
            channels |= {instance.channels[transport]: each for transport, each in seen.channels.items()}
        profiles = {slug: self._profile(profile, channels, now) for slug, profile in directory.profiles.items()}
        return attrs.evolve(directory, profiles=profiles, registry=registry)

    def _channel(self, channel: Channel) -> Channel:
        seen = copy.copy(channel)
        seen.evidence = cast("dict[str, Evidence]", WholeRows(channel, self.others))
        seen.in_flight += self.others.in_flight(channel.instance_id, channel.transport.value)
        return seen

    def _profile(self, profile: RoutedProfile, channels: dict[Channel, Channel], now: float) -> RoutedProfile:
        chains = {id(routed): self._chain(routed, channels, now) for routed in profile.chains}
        names = {name: chains[id(routed)] for name, routed in profile.names.items()}
        return attrs.evolve(profile, chains=tuple(chains.values()), names=names)

    def _chain(self, routed: RoutedChain, channels: dict[Channel, Channel], now: float) -> RoutedChain:
        seen, who = copy.copy(routed), (routed.profile.slug, routed.chain.key)
        seen.counts = counts_with(routed.counts, self.others.chain(*who), now)
        seen.candidates = tuple(self._candidate(candidate, who, channels, now) for candidate in routed.candidates)
        return seen

    def _candidate(
        self, candidate: Candidate, who: tuple[str, str], channels: dict[Channel, Channel], now: float
    ) -> Candidate:
        seen = copy.copy(candidate)
        seen.channel = channels.get(candidate.channel) or self._channel(candidate.channel)
        seen.tally = tally_with(candidate.tally, self.others.candidate(*who, candidate.label), now)
        return seen
