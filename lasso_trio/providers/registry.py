"""Owns the instances: each physical upstream once, whatever the number of profiles that name it.

An instance is its URL and credentials; two providers with the same `instance_id` share connections, breakers,
cooldowns and evidence. Built from the profiles at start and followed at each reload: `add` what is new, exchange the
directory, then `keep_only` what is named. Closing it closes every connection.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from random import Random
from typing import Any
from weakref import WeakSet

import attrs

from lasso_trio.config.profile import Allowance, Chain, Profile, Provider, Transport
from lasso_trio.config.secret import SecretUrl
from lasso_trio.providers.allowance import Budget, tightest
from lasso_trio.providers.breaker import ISOLATED, SHARED
from lasso_trio.providers.channel import Channel, Line, Version
from lasso_trio.providers.head import Head
from lasso_trio.providers.learned import LearnedLimits
from lasso_trio.providers.pacing import Pacing
from lasso_trio.providers.prober import Prober
from lasso_trio.providers.watched import Watched
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.http1 import Pool

MakePool = Callable[[Endpoint], Pool]


@attrs.define(eq=False)
class Instance:
    """`budget`: what is spent of the tightest allowance that any profile gives it; None while none gives any.

    `head`: what it last told of its chain, to its `prober` if it has one.
    `keeper`: who holds its WebSocket, if it has a URL for one; a `subscriptions.feed.FeedSource`, which is all that
    this room may know of it.
    """

    id: str
    chain_id: int
    origin: str
    channels: dict[Transport, Channel]
    budget: Budget | None = None
    head: Head = attrs.field(factory=Head)
    prober: Prober | None = None
    keeper: Any = None
    watched_elsewhere: Watched | None = None
    """What another process tells, as long as that one looks and not this one."""

    @property
    def watched(self) -> Watched:
        """What is seen of it, for people."""
        return self.watched_elsewhere or Watched.by(self.prober, self.keeper)

    def allow(self, terms: Allowance) -> None:
        """Keep to `terms` from now on; what was spent already counts."""
        if terms.rps is None and terms.daily is None:
            self.budget = None
        elif self.budget is None:
            self.budget = Budget(terms)
        else:
            self.budget.keep_to(terms=terms)
        for channel in self.channels.values():
            channel.budget = self.budget

    def keep_part(self, part: float) -> None:
        """Of what it allows, and of a limit that it names, keep to `part`: others have the rest."""
        for channel in self.channels.values():
            channel.pacing.share = part
        if self.budget is not None:
            self.budget.keep_to(share=part)


@attrs.define(eq=False)
class Registry:
    """`instances` by id. `version` moves with every breaker and cooldown change in any of them."""

    make_pool: MakePool
    rng: Random = attrs.field(factory=Random)
    version: Version = attrs.field(factory=Version)
    instances: dict[str, Instance] = attrs.field(factory=dict)
    part: float = 1.0
    """Of what an instance allows, what is this process'."""
    on_made: Callable[[Instance], None] | None = None
    """Told of each instance that comes."""
    _leaving: WeakSet[Line] = attrs.field(factory=WeakSet)
    """Pools of forgotten instances, while somebody holds them."""

    def add(self, profiles: Collection[Profile]) -> None:
        for _, chain, provider in _providers(profiles):
            if provider.instance_id not in self.instances:
                made = self.instances[provider.instance_id] = self._instance(chain, provider)
                if self.on_made is not None:
                    self.on_made(made)
        self._share(profiles)
        self._allow(profiles)

    def keep_only(self, profiles: Collection[Profile]) -> list[Instance]:
        """Forget the instances that `profiles` do not name, and return them. Calls that hold one still finish."""
        named = {provider.instance_id for _, _, provider in _providers(profiles)}
        gone = [instance for id_, instance in self.instances.items() if id_ not in named]
        for instance in gone:
            del self.instances[instance.id]
            for channel in instance.channels.values():
                if channel.pool is not None:
                    channel.pool.wind_down()
                    self._leaving.add(channel.pool)
        self._share(profiles)
        self._allow(profiles)
        self.version.bump()
        return gone

    def _share(self, profiles: Collection[Profile]) -> None:
        """One profile's tight deadlines or bad key must not close an upstream for the others."""
        users: dict[str, set[str]] = {}
        for profile, _, provider in _providers(profiles):
            users.setdefault(provider.instance_id, set()).add(profile.slug)
        for instance_id, slugs in users.items():
            for channel in self.instances[instance_id].channels.values():
                channel.breaker.policy = SHARED if len(slugs) > 1 else ISOLATED

    def _allow(self, profiles: Collection[Profile]) -> None:
        terms: dict[str, Allowance] = {}
        for _, _, provider in _providers(profiles):
            id_, its = provider.instance_id, provider.allowance
            terms[id_] = tightest(terms[id_], its) if id_ in terms else its
        for instance_id, allowance in terms.items():
            self.instances[instance_id].allow(allowance)
            self.instances[instance_id].keep_part(self.part)

    def keep_part(self, part: float) -> None:
        """Use no more than `part` of what each instance allows a node: as many processes as share it are there now."""
        self.part = part
        for instance in self.instances.values():
            instance.keep_part(part)

    def channels(self, provider: Provider) -> Iterator[Channel]:
        yield from self.instances[provider.instance_id].channels.values()

    def pools(self) -> Iterator[Line]:
        for instance in self.instances.values():
            yield from (c.pool for c in instance.channels.values() if c.pool is not None)

    async def aclose(self) -> None:
        for pool in (*self.pools(), *self._leaving):
            await pool.aclose()

    def _instance(self, chain: Chain, provider: Provider) -> Instance:
        channels, pacing = {}, Pacing()
        if provider.url is not None:
            channels[Transport.HTTP] = self._channel(provider, provider.url, Transport.HTTP, pacing)
        if provider.ws_url is not None:
            channels[Transport.WS] = self._channel(provider, provider.ws_url, Transport.WS, pacing)
        learned = LearnedLimits()
        for channel in channels.values():
            channel.learned = learned
        origin = next(iter(channels.values())).origin
        return Instance(provider.instance_id, chain.chain_id, origin, channels)

    def _channel(self, provider: Provider, url: SecretUrl, transport: Transport, pacing: Pacing) -> Channel:
        pool = None
        if transport is Transport.HTTP:
            pool = self.make_pool(Endpoint.from_url(url, provider.headers))
        return Channel(provider.instance_id, str(url), transport, pool, self.version, self.rng, pacing=pacing)


def _providers(profiles: Collection[Profile]) -> Iterator[tuple[Profile, Chain, Provider]]:
    for profile in profiles:
        for chain in profile.chains:
            for provider in chain.providers:
                yield profile, chain, provider
