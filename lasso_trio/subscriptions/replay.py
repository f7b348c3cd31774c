"""A subscription that begins in the past: what a client missed, and then what comes, without a seam.

    read the blocks below the line's window, linked by hash up to it ─► publish them and the window to this one member
    ─► activate, with no wait between: what was not in the line then comes live

If the line was reorganised below what was read meanwhile, the reading begins anew. Blocks that were read become part of
the line's window, so that a reorganisation which reaches them is told like any other. What cannot be read in time is a
gap, told to this member alone, and the subscription goes live. A member that is ahead of the line waits for it as long,
for it has seen what would come first; and so does one that begins above a block whose logs are not complete.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

import attrs
import structlog
import trio

from lasso_trio.subscriptions.fanout import Member
from lasso_trio.subscriptions.head_line import Gap, HeadLine
from lasso_trio.subscriptions.head_stream import HeadStream
from lasso_trio.subscriptions.header import Header
from lasso_trio.subscriptions.log import Log
from lasso_trio.subscriptions.log_stream import LogStream
from lasso_trio.subscriptions.reader import Unreadable
from lasso_trio.subscriptions.stream import Stream

log = structlog.get_logger(__name__)

AT_ONCE: Final = 8
PAUSE_S: Final = 0.2

Item = TypeVar("Item")
Found = TypeVar("Found")


@attrs.define(eq=False)
class Replay:
    """From `first` on, to the subscription `id` of `member`, which is not active yet."""

    stream: Stream
    member: Member
    id: str
    first: int
    _read: dict[int, Header] = attrs.field(factory=dict)

    async def run(self) -> None:
        """Replay, then activate. Cancelled at any time: the subscription is not active then."""
        line, seconds = self._heads().line, self.stream.around.policy.backfill_timeout_ms / 1000
        try:
            with trio.move_on_after(seconds):
                await self._until_seamless(line)
                return
            if not self._is_ahead(line):
                self._tell_gap(line)
        except Exception:  # one client's replay is not the hub's end
            log.exception("replay.crashed", stream=self.stream.key[:200])
            self._tell_gap(line)
        self.stream.fanout.activate(self.member, self.id)

    async def _until_seamless(self, line: HeadLine) -> None:
        """Publish everything up to this moment to the member, and activate it."""
        while True:
            if not self._is_ahead(line) and await self._read_below(line) and self._publish(line):
                self.stream.fanout.activate(self.member, self.id)
                return
            await trio.sleep(PAUSE_S)

    def _is_ahead(self, line: HeadLine) -> bool:
        """Would something be told first that lies below `first`?"""
        waits_at = self.stream.line.waits_at if isinstance(self.stream, LogStream) else None
        begun = line.tip is not None and self.first <= line.tip.number + 1
        return not begun or (waits_at is not None and waits_at < self.first)

    def _heads(self) -> HeadStream:
        assert isinstance(self.stream, HeadStream | LogStream)
        return self.stream.heads if isinstance(self.stream, LogStream) else self.stream

    async def _read_below(self, line: HeadLine) -> bool:
        """Make the line's window reach down to `first`, and know the logs of its blocks. False: to be tried again."""
        if line.low - self.first > self.stream.around.policy.max_backfill_blocks + line.window:
            return False  # the chain has jumped
        lacking = [number for number in range(self.first, line.low) if number not in self._read]
        for number, header in zip(lacking, await gather(self.stream.around.reader.by_number, lacking), strict=True):
            if header is not None:
                self._read[number] = header
        below = [self._read.get(number) for number in range(self.first, line.low)]
        if None in below:
            return False
        line.prepend([header for header in below if header is not None])
        if line.low > self.first:  # they are of another branch
            self._read.clear()
            return False
        return not isinstance(self.stream, LogStream) or await self._read_logs(self.stream, line)

    async def _read_logs(self, stream: LogStream, line: HeadLine) -> bool:
        """Of the blocks from before the stream began; those that it follows are checked by it."""
        unsettled = {header.hash for header in stream.line.unsettled}
        lacking = [h for h in line.line(self.first) if stream.line.logs_of(h.hash) is None and h.hash not in unsettled]
        lacking = [header for header in lacking if not _adopt_empty(stream, header)]

        async def read_one(header: Header) -> list[Log]:
            return await stream.around.reader.logs(header.hash, stream.wanted.filter)

        found = await gather(read_one, lacking)
        for header, logs in zip(lacking, found, strict=True):
            if logs is not None:
                stream.line.adopt(header.hash, logs)
        return None not in found

    def _publish(self, line: HeadLine) -> bool:
        """Everything from `first` on that went out to the others, in one go. False: something is not there."""
        blocks = line.line(self.first)
        if self._is_ahead(line):  # by now
            return False
        if not blocks or blocks[0].number != self.first:
            return self.first > (line.tip.number if line.tip is not None else -1)
        events = self._events(blocks)
        if events is None:
            return False
        for event in events:
            self.stream.fanout.publish_to(self.member, self.id, event)
        return True

    def _events(self, blocks: list[Header]) -> list[bytes] | None:
        if not isinstance(self.stream, LogStream):
            return [block.raw for block in blocks]
        line, events = self.stream.line, list[bytes]()
        for block in blocks:
            told = line.told_of(block.hash)
            if told is not None:  # the block that is being told: the rest of it comes live
                return events + [item.raw for item in told]
            logs = line.logs_of(block.hash)
            if logs is None:
                return None if not line.is_unsettled(block.hash) else events
            events += [item.raw for item in logs]
        return events

    def _tell_gap(self, line: HeadLine) -> None:
        tip = line.tip
        last = tip.number if tip is not None else self.first
        gap = Gap(self.first, max(self.first, last), self.first, "replay_failed")
        self.stream.announce_to(self.member, self.id, gap)


def _adopt_empty(stream: LogStream, header: Header) -> bool:
    empty = stream.bloom.excludes(header.bloom)
    if empty:
        stream.line.adopt(header.hash, ())
    return empty


async def gather(read: Callable[[Item], Awaitable[Found]], items: Sequence[Item]) -> list[Found | None]:
    """What `read` finds for each of `items`, in their order; None where it was Unreadable."""
    found: dict[int, Found] = {}
    slots = trio.Semaphore(AT_ONCE)

    async def one(place: int, item: Item) -> None:
        async with slots:
            with suppress(Unreadable):
                found[place] = await read(item)

    async with trio.open_nursery() as nursery:
        for place, item in enumerate(items):
            nursery.start_soon(one, place, item)
    return [found.get(place) for place in range(len(items))]
