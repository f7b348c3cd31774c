"""What makes a node one of several workers: it shares what is known of providers, and keeps or follows who keeps.

Made before the bus runs, and told of every instance that comes. `services` are to be run, supervised, beside the bus.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter

import attrs

from lasso_trio.config.profile import Transport
from lasso_trio.providers.registry import Instance, Registry
from lasso_trio.reloading import Reloading
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.subscriptions.feed import FeedSource
from lasso_trio.subscriptions.hub import Hub, keepers_of, sources_of
from lasso_trio.subscriptions.wanted import Kind
from lasso_trio.workers.activity import Activity
from lasso_trio.workers.bus import Bus
from lasso_trio.workers.channel_share import ChannelShare
from lasso_trio.workers.head_share import HeadShare
from lasso_trio.workers.keeping import Keeping
from lasso_trio.workers.relay_desk import RelayDesk
from lasso_trio.workers.relay_sources import RelaySources
from lasso_trio.workers.shared_clock import SharedClock
from lasso_trio.workers.shared_reads import SharedReads


@attrs.define(eq=False)
class Member:
    """`bus` to the other workers. `hub`'s streams are fed by its own keepers, or over the relay."""

    bus: Bus
    registry: Registry
    hub: Hub
    channels: ChannelShare
    heads: HeadShare
    desk: RelayDesk
    sources: RelaySources
    keeping: Keeping
    reads: SharedReads
    activity: Activity

    @classmethod
    def of(cls, bus: Bus, reloading: Reloading, hub: Hub, machine: Callable[[], float] = perf_counter) -> Member:
        """Before the bus runs, and before any prober or keeper begins. `machine`: a clock that is one for all."""
        clock, registry = SharedClock.of(machine), reloading.registry
        sources = RelaySources(bus, clock)
        heads = HeadShare(bus, registry, clock, sources.tell_connected)
        channels = ChannelShare(bus, registry, clock)
        desk = RelayDesk(bus, registry, clock)
        handler = reloading.handler
        reads = SharedReads(bus, handler.service, lambda: handler.directory)
        activity = Activity(bus, lambda: handler.directory)
        return cls(
            bus, registry, hub, channels, heads, desk, sources, Keeping(reloading, heads.expect), reads, activity
        )

    def __attrs_post_init__(self) -> None:
        self.registry.on_made = self._attach
        self.hub.sources = self._sources_of
        self.hub.make_reader = self.reads.reader
        self.bus.on_role(self._role_changed)

    def services(self) -> dict[str, Callable[[], Awaitable[object]]]:
        """What runs as long as the node does."""
        return {
            "channel share": self.channels.run,
            "head share": self.heads.run,
            "relay": self.desk.run,
            "activity": self.activity.run,
        }

    async def first_look(self) -> None:
        """Returns when this worker knows what it is, and has heard what the keeping one knows. For who waits no longer
        than it likes.
        """
        await self.bus.standing.wait()
        if not self.bus.keeping:
            await self.heads.settled.wait()

    def _attach(self, instance: Instance) -> None:
        self.channels.attach(instance)
        self.heads.attach(instance)

    def _sources_of(self, chain: RoutedChain, kind: Kind) -> list[FeedSource]:
        if self.bus.keeping:
            return keepers_of(chain, kind)
        return sources_of(chain, kind, self._relayed)

    def _relayed(self, instance: Instance) -> FeedSource | None:
        return self.sources.source(instance.id) if Transport.WS in instance.channels else None

    def _role_changed(self) -> None:
        if self.bus.keeping:
            self.keeping.begin()
        self.heads.lose()
        self.sources.lose()
        self.heads.tell_all()
