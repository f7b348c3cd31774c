"""Breakers, cooldowns, bans, limits, paces and orders: what any worker's calls change, all workers know at once.

a channel changes (rare) ─► marked ─► told to all, in one frame for all that changed at a moment
a worker joins, missed something, or has instances that it did not have ─► told all that stands
heard ─► adopted by whose word holds, and not told again
"""

from __future__ import annotations

from functools import partial
from typing import Final, NoReturn

import attrs
import msgspec
import trio

from lasso_trio.providers.channel import Aspect, Channel
from lasso_trio.providers.learned import Kind
from lasso_trio.providers.registry import Instance, Registry
from lasso_trio.workers.bus import Bus
from lasso_trio.workers.channel_news import ChannelNews, Part, apply, gather, shifted, whole
from lasso_trio.workers.shared_clock import SharedClock

TOPIC: Final = "channels"
AGAIN: Final = "channels.again"
"""A worker asks the others for all of it."""
AT_ONCE: Final = 64
"""Channels in one frame: it has room for them even if clients have had each tell of all the methods that it lacks."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[ChannelNews]).decode


@attrs.define(eq=False)
class ChannelShare:
    """Must be made before the bus runs; `attach` each instance that comes later."""

    bus: Bus
    registry: Registry
    clock: SharedClock
    told: int = 0
    """Frames, since the beginning."""
    heard: int = 0
    _marked: dict[Channel, set[Part]] = attrs.field(factory=dict)
    _asks: bool = False
    """Instances have come: others may know of them already, and what was told meanwhile was told to nobody."""
    _bell: trio.Event = attrs.field(factory=trio.Event)

    def __attrs_post_init__(self) -> None:
        for instance in self.registry.instances.values():
            self.attach(instance)
        self._asks = False  # who joins is told without asking
        self.bus.listen(TOPIC, self._hear)
        self.bus.listen(AGAIN, lambda sender, _: self._tell_all(sender))
        self.bus.on_join(self._joined)
        self.bus.on_leave(self._portion_out)

    def attach(self, instance: Instance) -> None:
        """Hear of what changes in it."""
        for channel in instance.channels.values():
            channel.on_news = self._mark
            channel.learned.on_change = partial(self._learned, channel)
        self._asks = True
        self._bell.set()

    async def run(self) -> NoReturn:
        """Tell what is marked, until cancelled."""
        while True:
            await self._bell.wait()
            self._bell = trio.Event()
            marked, self._marked = self._marked, {}
            now = trio.current_time()
            if self._asks:
                self._asks = False
                self.bus.tell(AGAIN, b"")
            self._tell([gather(channel, parts, now) for channel, parts in marked.items()])

    def _mark(self, channel: Channel, aspect: Aspect, detail: str) -> None:
        self._marked.setdefault(channel, set()).add((aspect, detail))
        self._bell.set()

    def _learned(self, channel: Channel, kind: Kind) -> None:
        self._mark(channel, Aspect.LIMIT, kind.value)

    def _joined(self, worker: int) -> None:
        self._portion_out()
        self._tell_all(worker)

    def _tell_all(self, worker: int) -> None:
        now = trio.current_time()
        all_ = [whole(channel, now) for i in self.registry.instances.values() for channel in i.channels.values()]
        self._tell(all_, worker)

    def _tell(self, news: list[ChannelNews], to: int | None = None) -> None:
        rows = [shifted(each, self.clock.offset) for each in news if each.says_something]
        for first in range(0, len(rows), AT_ONCE):
            self.told += 1
            self.bus.tell(TOPIC, _encode(rows[first : first + AT_ONCE]), to)

    def _hear(self, _: int, payload: bytes) -> None:
        self.heard += 1
        now = trio.current_time()
        for news in _decode(payload):
            instance = self.registry.instances.get(news.instance)
            channel = None if instance is None else instance.channels.get(news.transport)
            if channel is not None:  # else a reload has reached the others first, or last
                apply(channel, shifted(news, -self.clock.offset), now)

    def _portion_out(self, _: int = 0) -> None:
        """Of what a provider allows, or names as its limit, each worker keeps an equal part."""
        self.registry.keep_part(1 / (1 + len(self.bus.others)))
