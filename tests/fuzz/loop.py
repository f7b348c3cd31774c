"""The fuzzer's loop: so many inputs into one surface, watched for accidents, hangs and growth.

* An exception that leaves `feed` is a finding, with the input that brought it.
* An input that takes longer than `HANG_S` is one too: a timer breaks it off. For surfaces in virtual
  time, one that is not done after `VIRTUAL_S` is.
* Memory is compared between the first fifth and the end: blocks of Python's allocator, and the resident set.

After `MOST_FINDINGS` the loop gives up.
"""

from __future__ import annotations

import gc
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

import attrs
import trio
from trio.testing import MockClock

from tests.fuzz.mutation import Mutator
from tests.fuzz.surface import AsyncFeed, Feed, Finding, Surface

HANG_S: Final = 10.0
SECOND_CHANCES: Final = 5
VIRTUAL_S: Final = 1_000.0
"""Beyond every time limit of a connection whose client says nothing."""
CHUNK: Final = 512
"""Inputs under one timer, and between two looks at the time."""
MOST_FINDINGS: Final = 10
MOST_OUTCOMES: Final = 5_000
"""Words that are remembered: they must not be the memory that grows."""
GROWN_BLOCKS: Final = 60_000
GROWN_MIB: Final = 48.0
WARM: Final = 0.2
"""The share of the inputs after which caches must have filled."""
LEAST_WARM: Final = 2_000


class Hang(BaseException):
    """Raised into whatever takes too long."""


@attrs.frozen
class Found:
    """`what`: the exception, or the figure that grew. `data`: the input, empty where no single one is to blame."""

    what: str
    data: bytes
    cause: BaseException | None = attrs.field(default=None, repr=False)


@attrs.frozen
class Size:
    blocks: int
    mib: float

    @classmethod
    def now(cls) -> Size:
        gc.collect()
        found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
        return cls(sys.getallocatedblocks(), int(found[1]) / 1024 if found else 0.0)


@attrs.define
class Run:
    """One surface's run, and its figures. `outcomes`: how often each word was said."""

    surface: Surface
    inputs: int
    seconds: float
    mutator: Mutator
    done: int = 0
    took_s: float = 0.0
    outcomes: dict[str, int] = attrs.field(factory=dict)
    findings: list[Found] = attrs.field(factory=list)
    warm: Size | None = None
    end: Size | None = None

    @classmethod
    def of(cls, surface: Surface, inputs: int, seconds: float, seed: int) -> Run:
        return cls(surface, inputs, seconds, Mutator(surface.seeds, surface.tokens, seed))

    def run(self) -> Run:
        began = time.monotonic()
        try:
            if self.surface.feed is not None:
                self._plain(self.surface.feed, began)
            else:
                trio.run(self._timed, began, clock=MockClock(autojump_threshold=0))
        finally:
            self.took_s = time.monotonic() - began
        self._compare()
        return self

    def _over(self, began: float) -> bool:
        late = time.monotonic() - began > self.seconds
        return late or self.done >= self.inputs or len(self.findings) >= MOST_FINDINGS

    def _plain(self, feed: Feed, began: float) -> None:
        while not self._over(began):
            for data in self._chunk():
                try:
                    with_timer(HANG_S)
                    self._note(data, feed(data))
                except (Exception, Hang) as wrong:
                    self._found(wrong, data)
            with_timer(0)

    async def _timed(self, began: float) -> None:
        assert self.surface.opened is not None
        while not self._over(began):
            async with self.surface.opened() as feed:
                for _ in range(16):
                    await self._fed(feed)
                    if self._over(began):
                        break

    async def _fed(self, feed: AsyncFeed) -> None:
        for data in self._chunk():
            try:
                with_timer(HANG_S)
                with trio.fail_after(VIRTUAL_S):
                    outcome = await feed(data)
                self._note(data, outcome)
            except (Exception, Hang) as wrong:
                self._found(wrong, data)
        with_timer(0)

    def _chunk(self) -> Iterator[bytes]:
        for _ in range(min(CHUNK, self.inputs - self.done)):
            yield self.mutator.next()

    def _note(self, data: bytes, outcome: str) -> None:
        self.done += 1
        times = self.outcomes.get(outcome, 0)
        if times or len(self.outcomes) < MOST_OUTCOMES:
            self.outcomes[outcome] = times + 1
        if not times:
            self.mutator.keep(data)
        if self.done == max(LEAST_WARM, int(self.inputs * WARM)):
            self.warm = Size.now()

    def _found(self, wrong: BaseException, data: bytes) -> None:
        self.done += 1
        self.findings.append(Found(f"{type(wrong).__name__}: {wrong}"[:300], data, wrong))

    def _compare(self) -> None:
        self.end = Size.now()
        if self.warm is None:
            return
        if self.end.blocks - self.warm.blocks > GROWN_BLOCKS or self.end.mib - self.warm.mib > GROWN_MIB:
            self.findings.append(Found(f"memory grew from {self.warm} to {self.end}", b""))


def with_timer(seconds: float) -> None:
    _watch.begun, _watch.rings = time.process_time(), 0
    signal.setitimer(signal.ITIMER_REAL, seconds)


@attrs.define
class Watch:
    """`begun`: the processor's time when the input began. On a busy machine a process may not run for seconds: who had
    next to nothing of the time is given it again, a few times.
    """

    begun: float = 0.0
    rings: int = 0

    def starved(self) -> bool:
        self.rings += 1
        return self.rings <= SECOND_CHANCES and time.process_time() - self.begun < HANG_S / 2


_watch = Watch()


@contextmanager
def hangs_are_broken_off() -> Iterator[None]:
    """Must surround `Run.run`, in the main thread."""

    def ring(number: int, frame: FrameType | None) -> None:
        if _watch.starved():
            signal.setitimer(signal.ITIMER_REAL, HANG_S)
            return
        raise Hang(f"not done after {HANG_S:.0f} s")

    before = signal.signal(signal.SIGALRM, ring)
    try:
        yield
    finally:
        with_timer(0)
        signal.signal(signal.SIGALRM, before)


Say = Callable[[str], None]
__all__ = ["Finding", "Found", "Hang", "Run", "hangs_are_broken_off"]
