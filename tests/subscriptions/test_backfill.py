from __future__ import annotations

from collections.abc import Iterable

import attrs
import trio
from trio.testing import MockClock

from lasso_trio.subscriptions.backfill import AT_ONCE, Backfill
from lasso_trio.subscriptions.head_line import Added, Gap, HeadLine, Step
from lasso_trio.subscriptions.header import Header
from lasso_trio.subscriptions.log import Log
from lasso_trio.subscriptions.reader import Unreadable
from lasso_trio.subscriptions.wanted import LogFilter
from tests.subscriptions.forks import Forks, header


@attrs.define(eq=False)
class ForksReader:
    """Answers from `forks`; the first `fails` reads do not."""

    forks: Forks
    fails: int = 0
    takes_s: float = 0.01
    reads: list[int | str] = attrs.field(factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def latest(self) -> Header | None:
        return await self._read("latest", self.forks.tip)

    async def by_number(self, number: int) -> Header | None:
        return await self._read(number, self.forks.by_number(number))

    async def by_hash(self, hash_: str) -> Header | None:
        return await self._read(hash_, self.forks.all.get(hash_))

    async def logs(self, hash_: str, filter_: LogFilter) -> list[Log]:
        raise AssertionError("heads need no logs")

    async def _read(self, what: int | str, found: Header | None) -> Header | None:
        self.reads.append(what)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await trio.sleep(self.takes_s)
        finally:
            self.at_once -= 1
        if self.fails > 0:
            self.fails -= 1
            raise Unreadable("not now")
        return found


@attrs.define(eq=False)
class Hole:
    """A line that stands before a hole, and what comes out of filling it."""

    forks: Forks = attrs.field(factory=Forks)
    line: HeadLine = attrs.field(factory=HeadLine)
    added: list[int] = attrs.field(factory=list)
    gaps: list[Gap] = attrs.field(factory=list)

    def tell(self, *blocks: Header) -> None:
        for block in blocks:
            self.apply(self.line.tell(block, "a", trio.current_time()))

    def apply(self, steps: Iterable[Step]) -> None:
        for step in steps:
            if isinstance(step, Added):
                self.added.append(step.header.number)
            elif isinstance(step, Gap):
                self.gaps.append(step)

    async def fill(self, reader: ForksReader, timeout_s: float = 30.0) -> None:
        await Backfill(self.line, reader, self.apply, timeout_s).run()


async def test_a_hole_is_read_in_parallel_and_goes_out_in_order(autojump_clock: MockClock) -> None:
    hole = Hole()
    hole.tell(hole.forks.tip)
    hole.tell(hole.forks.grow(60)[-1])
    reader = ForksReader(hole.forks)
    began = trio.current_time()
    await hole.fill(reader)
    assert hole.added == list(range(1000, 1061))
    assert reader.most_at_once == AT_ONCE
    assert trio.current_time() - began < 10 * reader.takes_s  # not one after the other


async def test_a_reorganisation_is_found_by_walking_down_its_branch(autojump_clock: MockClock) -> None:
    hole = Hole()
    hole.tell(hole.forks.tip, *hole.forks.grow(80))
    hole.added.clear()
    hole.tell(hole.forks.reorg(40)[-1])
    await hole.fill(ForksReader(hole.forks))
    assert hole.added == list(range(1041, 1081))
    assert not hole.gaps


async def test_reads_that_fail_are_tried_again_with_pauses(autojump_clock: MockClock) -> None:
    hole = Hole()
    hole.tell(hole.forks.tip)
    hole.tell(hole.forks.grow(2)[-1])
    reader = ForksReader(hole.forks, fails=5)
    await hole.fill(reader)
    assert hole.added == [1000, 1001, 1002]
    assert len(reader.reads) <= 8


async def test_what_cannot_be_had_in_time_is_a_gap_and_reads_stay_few(autojump_clock: MockClock) -> None:
    hole = Hole()
    hole.tell(hole.forks.tip)
    hole.tell(hole.forks.grow(2)[-1])
    reader, began = ForksReader(hole.forks, fails=10**9), trio.current_time()
    await hole.fill(reader, timeout_s=30.0)
    assert trio.current_time() - began == 30.0
    assert hole.gaps == [Gap(1001, 1001, 1000, "backfill_failed")]
    assert hole.added == [1000, 1002]
    assert len(reader.reads) < 30


async def test_reads_that_hang_do_not_delay_the_gap(autojump_clock: MockClock) -> None:
    hole = Hole()
    hole.tell(hole.forks.tip)
    hole.tell(hole.forks.grow(3)[-1])
    began = trio.current_time()
    await hole.fill(ForksReader(hole.forks, takes_s=1e6), timeout_s=7.0)
    assert trio.current_time() - began == 7.0
    assert len(hole.gaps) == 1


async def test_a_feed_that_was_only_late_ends_the_search(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    hole = Hole()
    hole.tell(hole.forks.tip)
    blocks = hole.forks.grow(2)
    hole.tell(blocks[1])
    reader = ForksReader(hole.forks, fails=10**9)
    nursery.start_soon(hole.fill, reader)
    await trio.sleep(1)
    hole.tell(blocks[0])
    await trio.sleep(5)
    reads = len(reader.reads)
    await trio.sleep(60)
    assert hole.added == [1000, 1001, 1002]
    assert len(reader.reads) == reads


async def test_where_a_number_is_not_there_nothing_above_it_is_looked_for(autojump_clock: MockClock) -> None:
    hole = Hole()
    hole.tell(hole.forks.tip)
    hole.tell(header(9000, "0x" + "aa" * 32))
    reader = ForksReader(hole.forks)
    await hole.fill(reader, timeout_s=20.0)
    numbers = [what for what in reader.reads if isinstance(what, int)]
    assert numbers[: AT_ONCE - 1] == list(range(8900, 8900 + AT_ONCE - 1))
    assert set(numbers[AT_ONCE:]) == {8900}  # whether it is there by now
    assert len(reader.reads) < 60
    assert (hole.gaps, hole.line.refuted) == ([], ["a"])


async def test_numbers_that_came_into_being_meanwhile_are_found(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    hole, reader = Hole(), ForksReader(Forks())
    hole.tell(hole.forks.tip)
    hole.forks.grow(40)
    hole.tell(hole.forks.tip)  # one who is ahead of those that are asked
    reader.forks = Forks(chain=[header(1000, "0x" + "00" * 32)])
    nursery.start_soon(hole.fill, reader)
    await trio.sleep(3)
    assert hole.added == [1000]
    reader.forks = hole.forks
    await trio.sleep(3)
    assert hole.added == list(range(1000, 1041))


async def test_what_was_not_there_once_does_not_hold_up_a_later_hole(autojump_clock: MockClock) -> None:
    hole = Hole()
    reader = ForksReader(hole.forks)
    backfill = Backfill(hole.line, reader, hole.apply, timeout_s=5.0)
    hole.tell(hole.forks.tip, header(1010, "0x" + "aa" * 32))
    await backfill.run()
    hole.tell(*hole.forks.grow(12))
    hole.forks.grow(20)
    hole.tell(hole.forks.tip)
    reader.reads.clear()
    await backfill.run()
    assert hole.added == list(range(1000, 1033))
    assert {what for what in reader.reads if isinstance(what, int)} == set(range(1013, 1031))
    assert len(reader.reads) == 19
