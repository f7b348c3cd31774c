"""The parent's end of the bus: it passes frames on by whom they are for, says who is up, and names who keeps.

Each worker has an outbox of its own, so one that does not read holds up nobody: what finds no room in it is dropped,
and the sender is told once there is room, to tell its whole state again. A worker is up from its first frame to the end
of its socket. Exactly one of those that are up keeps; when it goes another is named in the same step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import msgspec
import structlog
import trio

from lasso_trio.workers.bus import HELLO, MISSED, STANDING, Standing
from lasso_trio.workers.frame import EVERYBODY, PARENT, BrokenFrame, Frame, FrameReader, Kind, check_greeting, encoded
from lasso_trio.workers.outbox import MOST, Outbox
from lasso_trio.workers.topics import Act, BusFault, Heard, Topics

READY: Final = "ready"
"""What a worker tells the parent when it takes calls."""
_READ: Final = 262_144
_encode: Final = msgspec.msgpack.Encoder().encode

log = structlog.get_logger(__name__)


@attrs.define(eq=False)
class Link:
    """One worker's. `missed`: who had something for it that was dropped."""

    number: int
    outbox: Outbox
    up: bool = False
    ready: bool = False
    missed: set[int] = attrs.field(factory=set)


@attrs.define(eq=False)
class Switch:
    """`most`: bytes that may wait for one worker."""

    most: int = MOST
    keeper: int | None = None
    links: dict[int, Link] = attrs.field(factory=dict)
    topics: Topics = attrs.field(init=False)
    ending: bool = False
    """The node ends: nobody is named any more."""
    _ready: list[Callable[[int], None]] = attrs.field(factory=list)
    _left: list[Callable[[int], None]] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.topics = Topics(PARENT, self._send)

    @property
    def up(self) -> list[int]:
        """Numbers of the workers that are there."""
        return sorted(number for number, link in self.links.items() if link.up)

    @property
    def ready(self) -> list[int]:
        """Numbers of those that take calls."""
        return sorted(number for number, link in self.links.items() if link.ready)

    @property
    def dropped(self) -> int:
        """Frames that found no room in the outboxes of those that are there."""
        return sum(link.outbox.dropped for link in self.links.values())

    def tell(self, topic: str, payload: bytes, to: int | None = None) -> None:
        """To one worker, or to all that are up. Never waits, never raises; what finds no room is lost."""
        for number in self.up if to is None else [to]:
            self._send(Frame(Kind.TELL, PARENT, number, topic, payload))

    def order(self, topic: str, payload: bytes = b"", to: int | None = None) -> None:
        """`tell` what must not be lost; for the few short words that rule a node."""
        for number in self.links if to is None else [to]:
            self._press(number, topic, payload)

    def listen(self, topic: str, heard: Heard) -> None:
        """See `Bus.listen`."""
        self.topics.listen(topic, heard)

    def answer(self, topic: str, act: Act) -> None:
        """See `Bus.answer`."""
        self.topics.answer(topic, act)

    async def ask(self, topic: str, payload: bytes, to: int, timeout_s: float) -> bytes:
        """Ask a worker. Raises BusFault: gone, timed out, refused."""
        if to not in self.up:
            raise BusFault(f"{topic}: {to} is not there")
        return await self.topics.ask(topic, payload, to, timeout_s)

    def on_ready(self, call: Callable[[int], None]) -> None:
        """`call(worker)`: it takes calls now."""
        self._ready.append(call)

    def on_leave(self, call: Callable[[int], None]) -> None:
        """`call(worker)`: its socket has ended. What was kept for it is void."""
        self._left.append(call)

    async def attach(self, number: int, stream: trio.abc.Stream) -> None:
        """Serve the worker's socket until it ends; then the worker counts as gone, and `stream` is closed."""
        link = self.links[number] = Link(number, Outbox(self.most))
        link.outbox.relieved = lambda: self._make_good(link)
        try:
            async with stream, trio.open_nursery() as nursery:
                nursery.start_soon(_write, link.outbox, stream)
                await self._read(link, stream, nursery)
                nursery.cancel_scope.cancel()
        finally:
            self._detach(link)

    async def _read(self, link: Link, stream: trio.abc.Stream, nursery: trio.Nursery) -> None:
        reader = FrameReader()
        try:
            while data := await stream.receive_some(_READ):
                for frame, whole in reader.feed(data):
                    self._take(link, frame, whole, nursery)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        except BrokenFrame as fault:
            log.error("bus.broken", worker=link.number, error=str(fault))

    def _take(self, link: Link, frame: Frame, whole: bytes, nursery: trio.Nursery) -> None:
        if frame.to != PARENT:
            self._pass_on(link.number, frame.to, whole)
        elif frame.topic == HELLO:
            check_greeting(frame.payload)
            link.up = True
            self._name()
        elif frame.topic == READY:
            link.ready = True
            for call in self._ready:
                call(link.number)
        else:
            self.topics.take(frame, nursery)

    def _pass_on(self, sender: int, to: int, whole: bytes) -> None:
        for number in self.up if to == EVERYBODY else [to]:
            link = self.links.get(number)
            if link is not None and link.up and number != sender and not link.outbox.put(whole):
                link.missed.add(sender)

    def _make_good(self, link: Link) -> None:
        missed, link.missed = link.missed, set()
        log.warning("bus.dropped", worker=link.number, frames=link.outbox.dropped, told_again=sorted(missed))
        for sender in sorted(missed):
            self._press(sender, MISSED, _encode(link.number))

    def _detach(self, link: Link) -> None:
        if self.links.get(link.number) is link:
            del self.links[link.number]
        self.topics.lose(link.number)
        for other in self.links.values():
            other.missed.discard(link.number)
        for call in self._left:
            call(link.number)
        self._name()

    def _name(self) -> None:
        """Who keeps stays who it is for as long as it is up; after it one that takes calls goes first."""
        before = self.keeper
        if before not in self.up:
            candidates = [] if self.ending else self.ready or self.up
            self.keeper = candidates[0] if candidates else None
        if self.keeper != before:
            log.info("node.keeper", keeper=self.keeper)
        standing = _encode(Standing(self.up, self.keeper))
        for number in self.up:
            self._press(number, STANDING, standing)

    def _send(self, frame: Frame) -> bool:
        link = self.links.get(frame.to)
        return link is not None and link.outbox.put(encoded(frame))

    def _press(self, number: int, topic: str, payload: bytes) -> None:
        link = self.links.get(number)
        if link is not None:
            link.outbox.press(encoded(Frame(Kind.TELL, PARENT, number, topic, payload)))


async def _write(outbox: Outbox, stream: trio.abc.Stream) -> None:
    try:
        await outbox.write_to(stream)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return  # the reader sees the same end
