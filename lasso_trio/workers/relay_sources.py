"""A follower's end of the relay: feeds that the keeping worker opens for it; to its streams they are like a keeper's.

While a worker keeps, its instances' sockets are as `connected` as it tells. When it goes, every feed ends and every
source is disconnected: for the streams that is a provider's failure, which they fill in.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from random import getrandbits
from typing import Final

import attrs
import trio

from lasso_trio.providers.verdict import verdict_of
from lasso_trio.subscriptions.feed import Arrival, Feed, NotConnected, Refused
from lasso_trio.subscriptions.session_feeds import ROOM, KeeperFeed
from lasso_trio.workers.bus import Bus, BusFault
from lasso_trio.workers.relay import (
    CLOSE,
    END,
    HURRY,
    NEWS,
    OPEN,
    Opened,
    Opening,
    decode_events,
    decode_numbers,
    decode_opened,
    encode,
)
from lasso_trio.workers.shared_clock import SharedClock

OPEN_S: Final = 10.0
AT_ONCE: Final = 64
"""Feeds that are being opened: a bus answers so many asks at a time and no more."""


@attrs.define(eq=False)
class RelaySource:
    """A `feed.FeedSource`: an instance, as the keeping worker's keeper tells of it."""

    instance_id: str
    _sources: RelaySources
    connected: bool = False
    _changed: trio.Event = attrs.field(factory=trio.Event)

    def changed(self) -> trio.Event:
        """Set at the next connect or disconnect."""
        return self._changed

    def stir(self, *, connected: bool) -> None:
        """It has, or has not, a session now."""
        self.connected = connected
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    def hurry(self) -> None:
        """`feed.FeedSource.hurry`."""
        self._sources.hurry(self.instance_id)

    async def open(self, params: bytes) -> Feed:
        """`feed.FeedSource.open`."""
        return await self._sources.open(self.instance_id, params)


@attrs.define(eq=False)
class RelaySources:
    """`feeds` by their number."""

    bus: Bus
    clock: SharedClock
    sources: dict[str, RelaySource] = attrs.field(factory=dict)
    feeds: dict[int, KeeperFeed] = attrs.field(factory=dict)
    overflows: int = 0
    """Feeds that were ended because nobody read them fast enough."""
    _slots: trio.Semaphore = attrs.field(factory=lambda: trio.Semaphore(AT_ONCE))
    _numbers: count[int] = attrs.field(factory=lambda: count(getrandbits(48)))  # another process had this place before

    def __attrs_post_init__(self) -> None:
        self.bus.listen(NEWS, self._hear)
        self.bus.listen(END, self._hear_ends)

    def source(self, instance_id: str) -> RelaySource:
        """Of an instance; before anything was told of it, it is disconnected."""
        return self.sources.setdefault(instance_id, RelaySource(instance_id, self))

    def tell_connected(self, instance_id: str, connected: bool) -> None:
        """The keeping worker said so."""
        source = self.source(instance_id)
        if source.connected is not connected:
            source.stir(connected=connected)

    def lose(self) -> None:
        """Who kept is gone, or it is us now."""
        for number in list(self.feeds):
            self._end(number)
        for source in self.sources.values():
            source.stir(connected=False)

    def hurry(self, instance_id: str) -> None:
        if self.bus.keeper is not None and not self.bus.keeping:
            self.bus.tell(HURRY, encode(instance_id), self.bus.keeper)

    async def open(self, instance_id: str, params: bytes) -> Feed:
        """Raises NotConnected, Refused. Cancelled: nobody is left behind."""
        keeper = self.bus.keeper
        if keeper is None or keeper == self.bus.worker:
            raise NotConnected("no other worker keeps")
        number, feed = self._make(self._leave_to(keeper))
        try:
            payload = encode(Opening(number, instance_id, params))
            async with self._slots:
                _check(decode_opened(await self.bus.ask(OPEN, payload, keeper, OPEN_S)))
        except BusFault as fault:
            self._leave(feed, keeper)
            raise NotConnected(str(fault)) from None
        except BaseException:
            self._leave(feed, keeper)
            raise
        return feed

    # Feeds…

    def _make(self, leave: Callable[[KeeperFeed], None]) -> tuple[int, KeeperFeed]:
        number = next(self._numbers)
        send, receive = trio.open_memory_channel[Arrival](ROOM)
        feed = self.feeds[number] = KeeperFeed(receive, send, leave)
        return number, feed

    def _leave_to(self, keeper: int) -> Callable[[KeeperFeed], None]:
        return lambda feed: self._leave(feed, keeper)

    def _leave(self, feed: KeeperFeed, keeper: int) -> None:
        numbers = [number for number, mine in self.feeds.items() if mine is feed]
        for number in numbers:
            del self.feeds[number]
            self.bus.tell(CLOSE, encode(number), keeper)

    def _hear(self, sender: int, payload: bytes) -> None:
        told = decode_events(payload)
        feed = self.feeds.get(told.number)
        if feed is None:  # closed, and the keeping worker does not know: our word was lost, or came before it was open
            self.bus.tell(CLOSE, encode(told.number), sender)
            return
        for result, at in told.events:
            if not feed.push(Arrival(result, self.clock.into(at))):
                self.overflows += 1
                self._leave(feed, sender)
                feed.end()
                return

    def _hear_ends(self, _: int, payload: bytes) -> None:
        for number in decode_numbers(payload):
            self._end(number)

    def _end(self, number: int) -> None:
        feed = self.feeds.pop(number, None)
        if feed is not None:
            feed.end()


def _check(opened: Opened) -> None:
    if opened.refused is not None:
        verdict = None if opened.category is None else verdict_of(opened.category, opened.error_class)
        raise Refused(opened.refused, opened.text, verdict, opened.hint_s)
    if opened.missing:
        raise NotConnected(opened.missing)
