"""Makes the page: reads the counters on the loop in short slices, writes the text in a thread, keeps it for a second.

A reader copies and yields where others may run, so that a large node is read without holding up its calls. What one
slice reads is consistent; between slices calls go on, so two families may differ by the calls of some milliseconds.

With several processes that are one node, a page is made of what `whole` gathers of all of them.

Tens of thousands of small objects are made for a page and die with it. The cycle collector, which would look at them
for milliseconds on the loop, is held back for that time: neither pages nor calls make cycles.
"""

from __future__ import annotations

import gc
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from time import thread_time
from typing import Final

import attrs
import trio

from lasso_trio.errors import LassoError
from lasso_trio.telemetry.prometheus import Table, written

KEPT_S: Final = 1.0
SLICE_S: Final = 0.001
PIECE: Final = 65_536
"""Bytes that belong together at least: megabytes in one would be joined, copied and freed in one, while calls wait."""
_GZIP_LEVEL: Final = 1
"""A third of the time of the default for a tenth more bytes."""
_GZIP: Final = 31
"""zlib's word for the gzip format with the largest window."""

Reader = Callable[[Table, float], Iterable[None]]


class NoPage(LassoError):
    """The figures of the whole node cannot be had now. The message says why."""


@attrs.frozen
class Page:
    """`at`: trio's clock, when it was made."""

    at: float
    pieces: tuple[bytes, ...]

    @property
    def size(self) -> int:
        return sum(map(len, self.pieces))

    @property
    def body(self) -> bytes:
        """In one, for who is not in a hurry."""
        return b"".join(self.pieces)


@attrs.define(eq=False)
class Exporter:
    """`longest_slice_s`: the longest that reading has held the loop, in seconds of its thread's CPU.

    `whole`: the table of all processes of the node, this one's and their own figures in it; None where this one is the
    node. It may raise NoPage, and then `page` does.
    """

    readers: list[Reader]
    whole: Callable[[], Awaitable[Table]] | None = None
    longest_slice_s: float = 0.0
    _pages: dict[tuple[str, bool], Page] = attrs.field(factory=dict)
    _lock: trio.Lock = attrs.field(factory=trio.Lock)

    async def page(self, kind: str, *, zipped: bool = False) -> Page:
        """In `kind`, a content type of `telemetry.prometheus`; at most a second old. One is made at a time.

        Cancelled, it leaves the thread to itself: it ends soon, and nobody reads what it made.
        """
        key = (kind, zipped)
        async with self._lock:
            kept = self._pages.get(key)
            if kept is None or trio.current_time() - kept.at >= KEPT_S:
                kept = self._pages[key] = await self._make(kind, zipped)
        return kept

    async def _make(self, kind: str, zipped: bool) -> Page:
        with uncollected():
            alone, whole = self.whole is None, self.whole or self.read
            table, now = await whole(), trio.current_time()
            pieces = await trio.to_thread.run_sync(_write, table, kind, zipped, alone, abandon_on_cancel=True)
        return Page(now, pieces)

    async def read(self) -> Table:
        """All counters as they are now."""
        table, now, began = Table(), trio.current_time(), thread_time()
        for reader in self.readers:
            for _ in reader(table, now):
                began = await self._breathe(began)
        await self._breathe(began, always=True)
        return table

    async def _breathe(self, began: float, *, always: bool = False) -> float:
        took = thread_time() - began
        if took < SLICE_S and not always:
            return began
        self.longest_slice_s = max(self.longest_slice_s, took)
        await trio.lowlevel.checkpoint()
        return thread_time()


@contextmanager
def uncollected() -> Iterator[None]:
    """No collection of cycles meanwhile, unless there is none anyway."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _write(table: Table, kind: str, zipped: bool, alone: bool) -> tuple[bytes, ...]:
    pieces = written(table, kind, process=alone)
    return tuple(gathered(_zipped(pieces) if zipped else pieces))


def _zipped(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP)
    yield from map(packer.compress, pieces)
    yield packer.flush()


def gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in larger pieces."""
    held, size = list[bytes](), 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= PIECE:
            yield b"".join(held)
            held, size = [], 0
    if size:
        yield b"".join(held)
