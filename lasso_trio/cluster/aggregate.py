"""Many nodes' snapshots as one picture: sums, and percentiles of merged histograms (never averages of percentiles).

Made node by node: `add` costs one node's rows of one profile, so that whoever builds a picture of a hundred nodes can
let others run in between. Addition is commutative and associative: the order of nodes does not matter. Pure.
"""

from __future__ import annotations

from typing import Final

import attrs

from lasso_trio.cluster.snapshot import ChainShare, MethodShare, ProviderShare, Snapshot, methods_of
from lasso_trio.providers.latency import Window

COLD_START_CALLS: Final = 10
"""With fewer calls in the whole cluster nothing can be said of a provider."""


@attrs.frozen
class Origin:
    """Whose figures. `region`: None where the node's id tells none."""

    node_id: str
    region: str | None


@attrs.define(eq=False)
class Figures:
    """`attempts`, `answered`, `failures`, `throttled`: since the nodes' start. `window`: the last minutes."""

    attempts: int = 0
    answered: int = 0
    failures: int = 0
    throttled: int = 0
    window: Window = attrs.field(factory=Window)

    def add(self, share: ProviderShare) -> None:
        self.attempts += share.attempts
        self.answered += share.answered
        self.failures += share.failures
        self.throttled += share.throttled
        self.window.merge(share.window.window())

    @classmethod
    def of(cls, share: ProviderShare) -> Figures:
        """Of one share alone; not to be added to."""
        return cls(share.attempts, share.answered, share.failures, share.throttled, share.window.window())

    def merge(self, other: Figures) -> None:
        self.attempts += other.attempts
        self.answered += other.answered
        self.failures += other.failures
        self.throttled += other.throttled
        self.window.merge(other.window)

    @property
    def cold(self) -> bool:
        return self.attempts < COLD_START_CALLS


@attrs.define(eq=False)
class MethodPicture:
    answered: int = 0
    failures: int = 0
    window: Window = attrs.field(factory=Window)

    def add(self, share: MethodShare) -> None:
        self.answered += share.answered
        self.failures += share.failures
        self.window.merge(share.window.window())


@attrs.define(eq=False)
class ProviderPicture:
    """One provider as all nodes see it, and as each does."""

    name: str
    whole: Figures = attrs.field(factory=Figures)
    by_node: dict[Origin, Figures] = attrs.field(factory=dict)
    """Nodes of one id are one here."""
    lags: dict[Origin, int | None] = attrs.field(factory=dict)
    live_on: int = 0
    """On how many nodes it can be called."""
    methods: dict[str, MethodPicture] = attrs.field(factory=dict)

    def add(self, origin: Origin, share: ProviderShare) -> None:
        self.whole.add(share)
        self.by_node[origin] = self._with(self.by_node.get(origin), share)
        self.lags[origin] = share.lag
        self.live_on += share.live

    @staticmethod
    def _with(known: Figures | None, share: ProviderShare) -> Figures:
        if known is None:
            return Figures.of(share)
        both = Figures()
        both.merge(known)
        both.add(share)
        return both

    def add_methods(self, share: ProviderShare) -> None:
        """Raises BadSnapshot."""
        for method in methods_of(share):
            self.methods.setdefault(method.method, MethodPicture()).add(method)

    def by_region(self) -> dict[str | None, Figures]:
        regions: dict[str | None, Figures] = {}
        for origin, figures in self.by_node.items():
            regions.setdefault(origin.region, Figures()).merge(figures)
        return regions


@attrs.define(eq=False)
class ChainPicture:
    chain_id: int
    calls: int = 0
    errors: int = 0
    limited: int = 0
    per_second: float = 0.0
    providers: dict[str, ProviderPicture] = attrs.field(factory=dict)

    def window(self) -> Window:
        """Of all providers."""
        whole = Window()
        for provider in self.providers.values():
            whole.merge(provider.whole.window)
        return whole


@attrs.define(eq=False)
class Picture:
    """`profile`: whose. `chain`: only this one; None: all. `provider`: the one that is also shown by method."""

    profile: str
    chain: str | None = None
    provider: str | None = None
    nodes: int = 0
    chains: dict[str, ChainPicture] = attrs.field(factory=dict)

    def add(self, origin: Origin, snapshot: Snapshot) -> None:
        """Raises BadSnapshot where the methods of `provider` cannot be read."""
        self.nodes += 1
        for share in snapshot.chains:
            if share.profile == self.profile and self.chain in (None, share.chain):
                self._add(origin, share)

    def _add(self, origin: Origin, share: ChainShare) -> None:
        chain = self.chains.setdefault(share.chain, ChainPicture(share.chain_id))
        chain.calls += share.calls
        chain.errors += share.errors
        chain.limited += share.limited
        chain.per_second += share.per_second
        for each in share.providers:
            provider = chain.providers.setdefault(each.provider, ProviderPicture(each.name))
            provider.add(origin, each)
            if each.provider == self.provider:
                provider.add_methods(each)
