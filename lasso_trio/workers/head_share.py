"""What the keeping worker sees of each instance, told to the others: they look at nothing themselves.

    keeping: a head moves, a probe failed, a socket comes or goes ─► marked ─► told to all
             a worker joins, or asks ─► told all
    others:  heard ─► adopted, the plans made anew where a verdict changed · nobody keeps ─► headers are lost

A worker that does not keep serves an instance only when it was told what the keeping one knows of its chain.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, NoReturn

import attrs
import msgspec
import trio

from lasso_trio.providers.branch import Header
from lasso_trio.providers.head import ChainCheck, HeadNews
from lasso_trio.providers.registry import Instance, Registry
from lasso_trio.providers.watched import Watched
from lasso_trio.workers.bus import Bus
from lasso_trio.workers.shared_clock import SharedClock

TOPIC: Final = "heads"
AGAIN: Final = "heads.again"
"""A worker asks the keeping one for all of it."""


class InstanceNews(msgspec.Struct, array_like=True, frozen=True):
    """`failures`, `connected`, `sessions`: see `Watched`."""

    instance: str
    head: HeadNews
    failures: int
    connected: bool
    sessions: int


class Heard(msgspec.Struct, array_like=True, frozen=True):
    """A header that an instance told `at` a time: number, hash, parent's hash. None: it tells no more."""

    instance: str
    at: float
    header: tuple[int, str, str] | None


class Bulletin(msgspec.Struct, array_like=True, frozen=True):
    """`whole`: all instances are in it."""

    instances: list[InstanceNews]
    heard: list[Heard]
    whole: bool = False


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Bulletin).decode


@attrs.define(eq=False)
class Ear:
    """Hears an instance's headers, to pass them on."""

    instance_id: str
    share: HeadShare

    def hear(self, header: Header, now: float) -> None:
        self.share.overhear(self.instance_id, header, now)

    def lose(self) -> None:
        self.share.overhear(self.instance_id, None, trio.current_time())


@attrs.define(eq=False)
class HeadShare:
    """`on_connected(instance_id, connected)`: told of each instance's socket at the keeping worker.

    `settled` is set when everything was heard for the first time.
    """

    bus: Bus
    registry: Registry
    clock: SharedClock
    on_connected: Callable[[str, bool], None]
    settled: trio.Event = attrs.field(factory=trio.Event)
    told: int = 0
    _marked: dict[str, None] = attrs.field(factory=dict)
    _overheard: list[Heard] = attrs.field(factory=list)
    _ears: dict[str, Ear] = attrs.field(factory=dict)
    _known: set[str] = attrs.field(factory=set)
    """Instances of which something was heard."""
    _awaited: dict[str, trio.Event] = attrs.field(factory=dict)
    _bell: trio.Event = attrs.field(factory=trio.Event)

    def __attrs_post_init__(self) -> None:
        for instance in self.registry.instances.values():
            self.attach(instance)
        self.bus.listen(TOPIC, self._hear)
        self.bus.listen(AGAIN, lambda sender, _: self.tell_all(sender))
        self.bus.on_join(self.tell_all)

    def attach(self, instance: Instance) -> None:
        """Hear of what is seen of it."""
        there = self.registry.instances
        self._ears = {id_: ear for id_, ear in self._ears.items() if id_ in there}
        self._awaited = {id_: event for id_, event in self._awaited.items() if id_ in there}
        self._known.discard(instance.id)
        ear = self._ears[instance.id] = Ear(instance.id, self)
        instance.head.on_news = partial(self._mark, instance.id)
        instance.head.branches.add(ear)

    def expect(self) -> list[trio.Event]:
        """Another worker looks: an event for each instance of which nothing was heard yet, set when something is."""
        for instance in self.registry.instances.values():
            if instance.head.check is ChainCheck.TRUSTED and instance.id not in self._known:
                instance.head.check = ChainCheck.PENDING
                self._awaited[instance.id] = trio.Event()
        if self._awaited and self.bus.keeper is not None and not self.bus.keeping:
            self.bus.tell(AGAIN, b"", self.bus.keeper)
        return list(self._awaited.values())

    def lose(self) -> None:
        """Who told of them is gone, or it is us now."""
        for instance in self.registry.instances.values():
            instance.head.lose()
            instance.watched_elsewhere = None

    # Telling…

    async def run(self) -> NoReturn:
        """Tell what is marked, until cancelled."""
        while True:
            await self._bell.wait()
            self._bell = trio.Event()
            marked, self._marked = self._marked, {}
            overheard, self._overheard = self._overheard, []
            self._tell(Bulletin(self._news(marked), overheard))

    def tell_all(self, to: int | None = None) -> None:
        """All that is known now, to one worker or to all."""
        self._tell(Bulletin(self._news(self.registry.instances), [], whole=True), to)

    def _tell(self, bulletin: Bulletin, to: int | None = None) -> None:
        if self.bus.keeping:
            self.told += 1
            self.bus.tell(TOPIC, _encode(bulletin), to)

    def _mark(self, instance_id: str) -> None:
        if self.bus.keeping:
            self._marked[instance_id] = None
            self._bell.set()

    def overhear(self, instance_id: str, header: Header | None, now: float) -> None:
        if self.bus.keeping:
            told = None if header is None else (header.number, header.hash, header.parent)
            self._overheard.append(Heard(instance_id, self.clock.out(now), told))
            self._bell.set()

    def _news(self, ids: dict[str, None] | dict[str, Instance]) -> list[InstanceNews]:
        found = [instance for id_ in ids if (instance := self.registry.instances.get(id_)) is not None]
        return [self._told(instance) for instance in found]

    def _told(self, instance: Instance) -> InstanceNews:
        head, watched = shifted(instance.head.news(), self.clock.offset), instance.watched
        return InstanceNews(instance.id, head, watched.failures, watched.connected, watched.sessions)

    # Hearing…

    def _hear(self, sender: int, payload: bytes) -> None:
        if self.bus.keeping or sender != self.bus.keeper:
            return  # told before the role went to another
        bulletin = _decode(payload)
        changed = [self._adopt(news) for news in bulletin.instances]
        if any(changed):
            self.registry.version.bump()
        for heard in bulletin.heard:
            self._pass(heard)
        if bulletin.whole:
            self.settled.set()

    def _adopt(self, news: InstanceNews) -> bool:
        instance = self.registry.instances.get(news.instance)
        if instance is None:
            return False
        changed = instance.head.adopt(shifted(news.head, -self.clock.offset))
        self._known.add(instance.id)
        instance.watched_elsewhere = Watched(news.failures, news.connected, news.sessions)
        self.on_connected(instance.id, news.connected)
        awaited = None if instance.head.check is ChainCheck.PENDING else self._awaited.pop(instance.id, None)
        if awaited is not None:
            awaited.set()
        return changed

    def _pass(self, heard: Heard) -> None:
        instance = self.registry.instances.get(heard.instance)
        if instance is None:
            return
        if heard.header is None:
            instance.head.lose()
        else:
            instance.head.hear(Header(*heard.header), self.clock.into(heard.at))


def shifted(head: HeadNews, by: float) -> HeadNews:
    """With its times `by` seconds later."""
    height, at = head.aged
    return attrs.evolve(head, at=head.at + by, aged=(height, at + by))
