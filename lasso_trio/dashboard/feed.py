"""Snapshots to those who look on: built once a second for each profile that is looked at, encoded once, for all.

    Ticker ── every second, only while there are viewers ──► bytes ─┬► the socket, at once: who has read the last one
                                                                   └► the viewer's slot (the newest wins) ──► its task

A viewer whose answer is sent in chunks and who keeps up is written to by the ticker itself, one system call for each:
a turn of its task through the web stack costs six times that. Of all others the slot holds one snapshot: who is slow
misses some, costs nothing meanwhile, and nobody waits for anybody. Viewers are served a few at a time, some
milliseconds apart: fifty written to in a row would keep calls waiting. They are bounded in number and time, and all
end when the node drains.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Final

import attrs
import trio

from lasso_trio.server.straight_body import StraightBody, chunk

TICK_S: Final = 1.0
HEARTBEAT_S: Final = 15.0
LONGEST_S: Final = 3600.0
"""Then a browser connects anew by itself, and its session is checked again."""
MOST_VIEWERS: Final = 64
APART_S: Final = 0.01
"""Between two turns of handing out; all of them within a tick."""
TURN: Final = 4
"""Viewers written to in a row. A task that is woken takes as long as these, and has a turn for itself."""

HELLO: Final = b"retry: 2000\n\n"
HEARTBEAT: Final = b": heartbeat\n\n"

Build = Callable[[str, int], Awaitable[bytes | None]]
"""A profile's snapshot as JSON, for a tick; None when there is no such profile any more."""


def event(name: str, data: bytes, id_: str = "") -> bytes:
    """One server-sent event (WHATWG HTML, 9.2). `data` must have no line ends."""
    head = f"id: {id_}\n" if id_ else ""
    return b"%bevent: %b\ndata: %b\n\n" % (head.encode(), name.encode(), data)


@attrs.frozen(eq=False)
class Snapshot:
    """An event, encoded once for all. `framed`: the same as a chunk."""

    tick: int
    text: bytes
    framed: bytes


@attrs.define(eq=False)
class Viewer:
    """One open page. `slot`: what it has not yet been sent. `body`: how it is written to without its task, if it can.

    `served_at`: trio's clock, when it was last given something.
    """

    profile: str
    until: float
    body: StraightBody | None = None
    slot: bytes | None = None
    served_at: float = 0.0
    _waits: bool = False
    _news: trio.Event = attrs.field(factory=trio.Event)

    def show(self, snapshot: Snapshot, now: float) -> bool:
        """Whether it was written at once. Else its task sends it, unless a newer one comes first."""
        if self.body is None or not self._waits or now >= self.until:
            self.put(snapshot.text)
            return False
        self.served_at = now
        if not self.body.write(snapshot.framed):
            self._wake()
        return True

    def put(self, text: bytes) -> None:
        self.slot = text
        self._wake()

    def _wake(self) -> None:
        self._waits = False
        self._news.set()

    async def take(self, most_s: float) -> bytes | None:
        """The newest; None when it was given nothing for so long, or what was begun at once must be finished."""
        self.served_at, self._waits = trio.current_time(), not self._news.is_set()
        while not self._news.is_set() and trio.current_time() < self.served_at + most_s:
            with trio.move_on_at(self.served_at + most_s):
                await self._news.wait()
        text, self.slot, self._news, self._waits = self.slot, None, trio.Event(), False
        return text

    async def finish(self) -> bool:
        """Write the rest of what was begun at once. False: there is nobody any more."""
        return self.body is None or await self.body.finish()


@attrs.define(eq=False)
class Feed:
    """`build` is called by the ticker only. `on_first` and `on_none`: somebody begins to look; nobody does any more."""

    build: Build
    on_first: Callable[[], None] = lambda: None
    on_none: Callable[[], None] = lambda: None
    most: int = MOST_VIEWERS
    tick: int = 0
    closed: bool = False
    viewers: set[Viewer] = attrs.field(factory=set)
    _run: str = attrs.field(factory=lambda: token_hex(4))
    _last: dict[str, Snapshot] = attrs.field(factory=dict)
    _somebody: trio.Event = attrs.field(factory=trio.Event)

    @property
    def full(self) -> bool:
        return self.closed or len(self.viewers) >= self.most

    @contextmanager
    def viewing(self, profile: str) -> Iterator[Viewer]:
        """Be one of the viewers. Ask `full` before."""
        viewer = self.enter(profile)
        try:
            yield viewer
        finally:
            self.leave(viewer)

    def enter(self, profile: str, body: StraightBody | None = None) -> Viewer:
        """`viewing` for those who cannot use it; `leave` must follow."""
        viewer = Viewer(profile, trio.current_time() + LONGEST_S, body)
        self.viewers.add(viewer)
        if len(self.viewers) == 1:
            self.on_first()
        self._somebody.set()
        return viewer

    def leave(self, viewer: Viewer) -> None:
        self.viewers.discard(viewer)
        if not self.viewers:
            self._somebody = trio.Event()
            self._last.clear()
            self.on_none()

    async def stream(
        self, profile: str, last_id: str = "", body: StraightBody | None = None
    ) -> AsyncGenerator[bytes, None]:
        """What one viewer is sent, until it has had enough, the node drains, or it is cancelled. To be closed.

        With a `body`, what is written to it comes between what this yields.
        """
        viewer = self.enter(profile, body)
        try:
            yield HELLO
            last = self._last.get(profile)
            if last is not None and last_id != self._id(last.tick):
                viewer.put(last.text)
            while not self.closed and trio.current_time() < viewer.until:
                text = await viewer.take(HEARTBEAT_S)
                if not await viewer.finish():
                    return
                yield text or HEARTBEAT
            reason = b'{"reason":"draining"}' if self.closed else b'{"reason":"renew"}'
            yield event("bye", reason)
        finally:
            self.leave(viewer)

    async def run(self) -> None:
        """Service: ticks while somebody looks. Runs until cancelled."""
        while True:
            await self._somebody.wait()
            due = trio.current_time() + TICK_S
            await self._hand_out(await self._built())
            await trio.sleep_until(due)

    async def _built(self) -> dict[str, Snapshot]:
        """One snapshot per profile that is looked at."""
        self.tick += 1
        made: dict[str, Snapshot] = {}
        for profile in {viewer.profile for viewer in self.viewers}:
            data = await self.build(profile, self.tick)
            if data is not None:
                text = event("snapshot", data, self._id(self.tick))
                made[profile] = Snapshot(self.tick, text, chunk(text))
        if self.viewers:  # all at once: who comes while they are built is handed them, and not given them before
            self._last.update(made)
        return made

    async def _hand_out(self, made: dict[str, Snapshot]) -> None:
        now, left = trio.current_time(), TURN
        for viewer in tuple(self.viewers):
            if viewer.profile in made and viewer in self.viewers:
                left -= 1 if viewer.show(made[viewer.profile], now) else TURN
                if left <= 0:
                    await trio.sleep(APART_S)
                    now, left = trio.current_time(), TURN

    def close(self) -> None:
        """Say goodbye to everybody: the node drains."""
        self.closed = True
        for viewer in self.viewers:
            viewer.put(viewer.slot or HEARTBEAT)

    def _id(self, tick: int) -> str:
        return f"{self._run}-{tick}"
