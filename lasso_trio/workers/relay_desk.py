"""The keeping worker's end of the relay: opens feeds for the others, and passes on what they tell.

A feed lives in a task of its own, from the asking to the end: the session's, the worker's that asked, or because it was
closed. What the bus cannot take is a loss like a provider's: that worker's feeds end, and its streams fill in.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs
import structlog
import trio

from lasso_trio.providers.registry import Registry
from lasso_trio.subscriptions.feed import Arrival, Feed, FeedSource, NotConnected, Refused
from lasso_trio.workers.bus import Bus, BusFault
from lasso_trio.workers.relay import (
    CLOSE,
    END,
    HURRY,
    NEWS,
    OPEN,
    Events,
    Opened,
    Opening,
    decode_instance,
    decode_number,
    decode_opening,
    encode,
)
from lasso_trio.workers.shared_clock import SharedClock

AT_ONCE: Final = 64
"""Events in one frame."""
FRAME: Final = 1024 * 1024
"""Bytes after which a frame is full, but for what begins below that."""
LARGEST: Final = 2 * 1024 * 1024
"""Bytes of an event that is passed on: together with `FRAME` less than what a frame may have."""
CLOSE_S: Final = 2.0
ENDS_KEPT: Final = 1024

log = structlog.get_logger(__name__)

Key = tuple[int, int]


@attrs.define(eq=False)
class RelayDesk:
    """`feeds` by worker and number."""

    bus: Bus
    registry: Registry
    clock: SharedClock
    feeds: dict[Key, trio.CancelScope] = attrs.field(factory=dict)
    _ends: dict[int, deque[int]] = attrs.field(factory=dict)
    """The newest numbers of each worker that have ended, for the case that it missed one of the ends."""
    _nursery: trio.Nursery | None = None

    def __attrs_post_init__(self) -> None:
        self.bus.answer(OPEN, self._open)
        self.bus.listen(CLOSE, lambda sender, payload: self._close((sender, decode_number(payload))))
        self.bus.listen(HURRY, self._hurry)
        self.bus.on_leave(self._forget)
        self.bus.on_join(self._begin_anew)  # it is new, or has missed something that nobody will tell it again

    async def run(self) -> None:
        """Until cancelled; then all feeds are closed."""
        try:
            async with trio.open_nursery() as self._nursery:
                await trio.sleep_forever()
        finally:
            self._nursery = None

    async def _open(self, sender: int, payload: bytes) -> bytes:
        if self._nursery is None or not self.bus.keeping:
            raise BusFault("this worker does not keep")
        opened = await self._nursery.start(self._life, sender, decode_opening(payload))
        return encode(opened)

    async def _life(self, worker: int, wish: Opening, task_status: trio.TaskStatus[Opened]) -> None:
        key, scope = (worker, wish.number), trio.CancelScope()
        self.feeds[key] = scope
        said = False
        try:
            with scope:
                feed = await self._subscribe(wish)
                said = True
                task_status.started(feed if isinstance(feed, Opened) else Opened())
                if not isinstance(feed, Opened):
                    await self._pass_on(key, feed)
        finally:
            del self.feeds[key]
            if worker in self.bus.others:
                self._ends.setdefault(worker, deque(maxlen=ENDS_KEPT)).append(wish.number)
            self.bus.tell(END, encode([wish.number]), worker)
        if not said:
            task_status.started(Opened("it was closed while it was opened"))

    async def _subscribe(self, wish: Opening) -> Feed | Opened:
        instance = self.registry.instances.get(wish.instance)
        source: FeedSource | None = None if instance is None else instance.keeper
        if source is None:
            return Opened("no such keeper")
        try:
            return await source.open(wish.params)
        except NotConnected as fault:
            return Opened(str(fault) or "not connected")
        except Refused as refusal:
            return _told(refusal)

    async def _pass_on(self, key: Key, feed: Feed) -> None:
        try:
            async for arrival in feed.arrivals:
                events = _gathered(arrival, feed)
                largest = max(len(event.result) for event in events)
                if largest > LARGEST:
                    log.warning("relay.too_large", worker=key[0], bytes=largest)
                    return  # a loss, and told as one
                rows = [(event.result, self.clock.out(event.at)) for event in events]
                self.bus.tell(NEWS, encode(Events(key[1], rows)), key[0])
        finally:
            with trio.CancelScope(deadline=trio.current_time() + CLOSE_S, shield=True):
                await feed.aclose()

    def _close(self, key: Key) -> None:
        if key in self.feeds:
            self.feeds[key].cancel("who asked for it closed it")

    def _begin_anew(self, worker: int) -> None:
        if worker in self._ends:
            self.bus.tell(END, encode(list(self._ends[worker])), worker)
        self._end_all(worker)

    def _forget(self, worker: int) -> None:
        self._end_all(worker)
        self._ends.pop(worker, None)

    def _end_all(self, worker: int) -> None:
        for key, scope in self.feeds.items():
            if key[0] == worker:
                scope.cancel("the worker has gone, or missed something")

    def _hurry(self, _: int, payload: bytes) -> None:
        instance = self.registry.instances.get(decode_instance(payload))
        if instance is not None and instance.keeper is not None and self.bus.keeping:
            instance.keeper.hurry()


def _told(refusal: Refused) -> Opened:
    verdict = refusal.verdict
    return Opened("", refusal.code, refusal.text, refusal.hint_s, verdict.category, verdict.error_class)


def _gathered(first: Arrival, feed: Feed) -> list[Arrival]:
    """With what came meanwhile, as much as a frame takes."""
    events, size = [first], len(first.result)
    while len(events) < AT_ONCE and size < FRAME and feed.arrivals.statistics().current_buffer_used:
        events.append(feed.arrivals.receive_nowait())
        size += len(events[-1].result)
    return events
