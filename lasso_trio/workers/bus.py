"""A worker's end of the bus: what it tells the others, hears from them, asks and answers.

All goes to the parent, which passes it on; order from one worker to another is kept. Telling never waits: what finds no
room is dropped, and the sender's `on_join` is called again for who missed it once there is room, as for a worker that
has just come. So a state that is told whole in `on_join`, and as it changes by `tell`, is right in the end.

The end of the parent's socket means that the parent died: `run` calls `on_orphaned` and is finished.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import msgspec
import structlog
import trio

from lasso_trio.supervision import FINISHED
from lasso_trio.workers.frame import (
    EVERYBODY,
    MAX_PAYLOAD,
    PARENT,
    BrokenFrame,
    Frame,
    FrameReader,
    Kind,
    encoded,
    greeting,
)
from lasso_trio.workers.outbox import Outbox
from lasso_trio.workers.topics import Act, BusFault, Heard, Topics, contained

__all__ = ["PARENT", "Bus", "BusFault", "Standing"]

HELLO: Final = "bus.hello"
STANDING: Final = "bus.standing"
MISSED: Final = "bus.missed"
_READ: Final = 65_536

log = structlog.get_logger(__name__)


class Standing(msgspec.Struct, array_like=True, frozen=True):
    """Who is up, and who of them keeps. The parent tells it to each worker at every change."""

    up: list[int]
    keeper: int | None = None


_decode_standing: Final = msgspec.msgpack.Decoder(Standing).decode
_decode_worker: Final = msgspec.msgpack.Decoder(int).decode


@attrs.define(eq=False)
class Bus:
    """`worker`: one's own number, from 0. `keeper`: who keeps probers, keepers and feeds; None while nobody is named.

    `others`: the workers that are up, without oneself. Register with `listen`, `answer` and `on_…` before `run`.
    """

    worker: int
    stream: trio.abc.Stream
    outbox: Outbox = attrs.field(factory=Outbox)
    keeper: int | None = None
    others: frozenset[int] = frozenset()
    standing: trio.Event = attrs.field(factory=trio.Event)
    """Set when the parent has said for the first time who is up and who keeps."""
    orphaned: bool = False
    """The parent is gone."""
    topics: Topics = attrs.field(init=False)
    _reader: FrameReader = attrs.field(factory=FrameReader)
    _missed: set[int] = attrs.field(factory=set)
    _joined: list[Callable[[int], None]] = attrs.field(factory=list)
    _left: list[Callable[[int], None]] = attrs.field(factory=list)
    _role: list[Callable[[], None]] = attrs.field(factory=list)
    _alone: list[Callable[[], None]] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.topics = Topics(self.worker, self._send)
        self.outbox.relieved = self._make_good
        self.outbox.press(encoded(Frame(Kind.TELL, self.worker, PARENT, HELLO, greeting())))

    @property
    def keeping(self) -> bool:
        """Is it this worker that keeps?"""
        return self.keeper == self.worker

    @property
    def dropped(self) -> int:
        """Frames of ours that found no room here, since the beginning."""
        return self.outbox.dropped

    def tell(self, topic: str, payload: bytes, to: int | None = None) -> None:
        """To one worker, to `PARENT`, or to all other workers. Never waits, never raises; at most 4 MiB."""
        if len(payload) > MAX_PAYLOAD:  # it would never fit: nothing to make good
            log.error("bus.too_large", topic=topic, bytes=len(payload))
            return
        if self.orphaned or (to is None and not self.others):
            return
        if not self._send(Frame(Kind.TELL, self.worker, EVERYBODY if to is None else to, topic, payload)):
            self._missed |= self.others if to is None else {to}

    def listen(self, topic: str, heard: Heard) -> None:
        """`heard(sender, payload)` for what is told under `topic`; it must not block. What it raises is logged."""
        self.topics.listen(topic, heard)

    def answer(self, topic: str, act: Act) -> None:
        """`await act(sender, payload)` for what is asked under `topic`. What it raises refuses the ask."""
        self.topics.answer(topic, act)

    async def ask(self, topic: str, payload: bytes, to: int, timeout_s: float) -> bytes:
        """Ask a worker or `PARENT`. Raises BusFault: gone, timed out, refused."""
        if self.orphaned or (to != PARENT and to not in self.others):
            raise BusFault(f"{topic}: {to} is not there")
        if len(payload) > MAX_PAYLOAD:
            raise BusFault(f"{topic}: {len(payload)} bytes are too large to ask")
        return await self.topics.ask(topic, payload, to, timeout_s)

    def on_join(self, call: Callable[[int], None]) -> None:
        """`call(worker)`: it is there, or missed something: tell it what it must know."""
        self._joined.append(call)

    def on_leave(self, call: Callable[[int], None]) -> None:
        self._left.append(call)

    def on_role(self, call: Callable[[], None]) -> None:
        """`keeper` has changed."""
        self._role.append(call)

    def on_orphaned(self, call: Callable[[], None]) -> None:
        """The parent died: drain and exit."""
        self._alone.append(call)

    async def run(self) -> object:
        """Read and write until cancelled; `FINISHED` when the parent is gone. For `supervise`."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write)
            await self._read(nursery)
            nursery.cancel_scope.cancel()
        self._end()
        return FINISHED

    async def _write(self) -> None:
        try:
            await self.outbox.write_to(self.stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return  # the reader sees the same end, behind what is still to be read

    async def _read(self, nursery: trio.Nursery) -> None:
        try:
            while data := await self.stream.receive_some(_READ):
                for frame, _ in self._reader.feed(data):
                    self._take(frame, nursery)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        except BrokenFrame as fault:
            log.error("bus.broken", error=str(fault))

    def _take(self, frame: Frame, nursery: trio.Nursery) -> None:
        if frame.sender == PARENT and frame.topic == STANDING:
            self._stand(_decode_standing(frame.payload))
        elif frame.sender == PARENT and frame.topic == MISSED:
            self._join(_decode_worker(frame.payload))
        else:
            self.topics.take(frame, nursery)

    def _stand(self, standing: Standing) -> None:
        before, keeper = self.others, self.keeper
        self.others = frozenset(standing.up) - {self.worker}
        self.keeper = standing.keeper
        self.standing.set()
        for worker in sorted(before - self.others):
            self.topics.lose(worker)
            self._missed.discard(worker)
            _each("on_leave", self._left, worker)
        if self.keeper != keeper:
            _each("on_role", self._role)
        for worker in sorted(self.others - before):
            self._join(worker)

    def _join(self, worker: int) -> None:
        if worker in self.others:
            _each("on_join", self._joined, worker)

    def _make_good(self) -> None:
        missed, self._missed = self._missed, set()
        log.warning("bus.dropped", frames=self.dropped, told_again=sorted(missed))
        for worker in sorted(missed):
            self._join(worker)

    def _send(self, frame: Frame) -> bool:
        return self.outbox.put(encoded(frame))

    def _end(self) -> None:
        self.orphaned = True
        self.topics.lose()
        log.error("bus.orphaned")
        _each("on_orphaned", self._alone)


def _each(what: str, calls: list[Callable[..., None]], *args: object) -> None:
    for call in calls:
        contained(what, call, *args)
