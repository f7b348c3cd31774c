"""Snapshots to those who look on: built once a second for each profile that is looked at, encoded once, for all.

    Ticker ── every second, only while there are viewers ──► bytes ──► each viewer's slot (the newest wins) ──► SSE

A viewer's slot holds one snapshot: who is slow misses some, and nobody waits for anybody. Viewers are served one after
the other, some milliseconds apart: fifty woken at once would write for milliseconds while calls wait. They are bounded
in number and time, and all end when the node drains.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Final

import attrs
import trio

TICK_S: Final = 1.0
HEARTBEAT_S: Final = 15.0
LONGEST_S: Final = 3600.0
"""Then a browser connects anew by itself, and its session is checked again."""
MOST_VIEWERS: Final = 64
APART_S: Final = 0.01
"""Between two viewers; all of them within a tick."""

HELLO: Final = b"retry: 2000\n\n"
HEARTBEAT: Final = b": heartbeat\n\n"

Build = Callable[[str, int], bytes | None]
"""A profile's snapshot as JSON, for a tick; None when there is no such profile any more."""


def event(name: str, data: bytes, id_: str = "") -> bytes:
    """One server-sent event (WHATWG HTML, 9.2). `data` must have no line ends."""
    head = f"id: {id_}\n" if id_ else ""
    return b"%bevent: %b\ndata: %b\n\n" % (head.encode(), name.encode(), data)


@attrs.define(eq=False)
class Viewer:
    """One open page. `slot`: what it has not yet been sent."""

    profile: str
    until: float
    slot: bytes | None = None
    _news: trio.Event = attrs.field(factory=trio.Event)

    def put(self, text: bytes) -> None:
        self.slot = text
        self._news.set()

    async def take(self, most_s: float) -> bytes | None:
        """The newest, or None when there was none for so long."""
        with trio.move_on_after(most_s):
            await self._news.wait()
        text, self.slot, self._news = self.slot, None, trio.Event()
        return text


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
    _last: dict[str, tuple[int, bytes]] = attrs.field(factory=dict)
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

    def enter(self, profile: str) -> Viewer:
        """`viewing` for those who cannot use it; `leave` must follow."""
        viewer = Viewer(profile, trio.current_time() + LONGEST_S)
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

    async def stream(self, profile: str, last_id: str = "") -> AsyncGenerator[bytes, None]:
        """What one viewer is sent, until it has had enough, the node drains, or it is cancelled. To be closed."""
        viewer = self.enter(profile)
        try:
            yield HELLO
            last = self._last.get(profile)
            if last is not None and last_id != self._id(last[0]):
                yield last[1]
            while not self.closed and trio.current_time() < viewer.until:
                yield await viewer.take(HEARTBEAT_S) or HEARTBEAT
            reason = b'{"reason":"draining"}' if self.closed else b'{"reason":"renew"}'
            yield event("bye", reason)
        finally:
            self.leave(viewer)

    async def run(self) -> None:
        """Service: ticks while somebody looks. Runs until cancelled."""
        while True:
            await self._somebody.wait()
            due = trio.current_time() + TICK_S
            await self._hand_out(self._built())
            await trio.sleep_until(due)

    def _built(self) -> dict[str, bytes]:
        """One snapshot per profile that is looked at."""
        self.tick += 1
        for profile in {viewer.profile for viewer in self.viewers}:
            text = self.build(profile, self.tick)
            if text is not None:
                self._last[profile] = (self.tick, event("snapshot", text, self._id(self.tick)))
        return {profile: text for profile, (tick, text) in self._last.items() if tick == self.tick}

    async def _hand_out(self, texts: dict[str, bytes]) -> None:
        for viewer in tuple(self.viewers):
            if viewer.profile in texts and viewer in self.viewers:
                viewer.put(texts[viewer.profile])
                await trio.sleep(APART_S)

    def close(self) -> None:
        """Say goodbye to everybody: the node drains."""
        self.closed = True
        for viewer in self.viewers:
            viewer.put(viewer.slot or HEARTBEAT)

    def _id(self, tick: int) -> str:
        return f"{self._run}-{tick}"
