from __future__ import annotations

import json
from random import Random

import attrs
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.subscriptions.head_line import Added, Gap, HeadLine, Removed
from lasso_trio.subscriptions.header import Header
from lasso_trio.subscriptions.log import Log, read
from lasso_trio.subscriptions.log_line import MOST_EARLY, LogLine, Out
from tests.subscriptions.forks import Forks


def log_of(block: Header, index: int, *, removed: bool = False) -> Log:
    text = {"blockHash": block.hash, "blockNumber": hex(block.number), "logIndex": hex(index), "removed": removed}
    return read(json.dumps(text).encode())


def logs_of(block: Header) -> list[Log]:
    """A block's logs follow from its hash: none to three."""
    return [log_of(block, 2 * index) for index in range(int(block.hash, 16) % 4)]


@attrs.define(eq=False)
class Book:
    """Folds what goes out, and checks each as it comes."""

    line: LogLine = attrs.field(factory=LogLine)
    held: list[tuple[int, str, int]] = attrs.field(factory=list)
    gaps: list[Gap] = attrs.field(factory=list)
    said: list[tuple[int, int, bool]] = attrs.field(factory=list)

    def take(self, out: list[Out]) -> Book:
        for item in out:
            if isinstance(item, Gap):
                self.gaps.append(item)
                continue
            text = json.loads(item)
            entry = (int(text["blockNumber"], 16), text["blockHash"], int(text["logIndex"], 16))
            self.said.append((entry[0], entry[2], text["removed"]))
            if text["removed"]:
                assert self.held.pop() == entry or entry[0] == self.held[-1][0], "the newest goes first"
            else:
                assert entry not in self.held
                assert not self.held or entry[0] >= self.held[-1][0], "in block order"
                self.held.append(entry)
        return self

    def add(self, *blocks: Header) -> Book:
        return self.take(self.line.follow([Added(block) for block in blocks]))

    def remove(self, *blocks: Header) -> Book:
        return self.take(self.line.follow([Removed(block) for block in blocks]))

    def hear(self, *logs: Log) -> Book:
        for log in logs:
            self.take(self.line.hear(log))
        return self

    def settle(self, block: Header, *logs: Log) -> Book:
        return self.take(self.line.settle(block.hash, logs))


def three_blocks() -> list[Header]:
    forks = Forks()
    return [forks.tip, *forks.grow(2)]


def test_a_feeds_log_goes_out_at_once_and_once() -> None:
    a, _, _ = three_blocks()
    book = Book().add(a).hear(log_of(a, 0), log_of(a, 0), log_of(a, 1))
    assert book.said == [(1000, 0, False), (1000, 1, False)]
    assert book.settle(a, log_of(a, 0), log_of(a, 1)).said == [(1000, 0, False), (1000, 1, False)]


def test_what_no_feed_told_goes_out_with_the_check() -> None:
    a, _, _ = three_blocks()
    book = Book().add(a).hear(log_of(a, 2)).settle(a, log_of(a, 4), log_of(a, 0), log_of(a, 2))
    assert [index for _, index, _ in book.said] == [2, 0, 4]


def test_later_blocks_wait_for_the_check_of_earlier_ones() -> None:
    a, b, c = three_blocks()
    book = Book().add(a, b, c).hear(log_of(c, 0), log_of(b, 0)).settle(c, log_of(c, 0), log_of(c, 1))
    assert book.said == []
    assert [block.number for block in book.line.unsettled] == [1000, 1001]
    assert book.settle(a).said == [(1001, 0, False)]
    assert book.settle(b, log_of(b, 0)).said == [(1001, 0, False), (1002, 0, False), (1002, 1, False)]
    assert book.line.unsettled == []


def test_a_log_may_come_before_its_block() -> None:
    a, _, _ = three_blocks()
    book = Book().hear(log_of(a, 0))
    assert book.line.heard_of(a.hash) == {0}
    assert book.add(a).said == [(1000, 0, False)]


def test_a_removed_blocks_logs_go_out_once_more_newest_first() -> None:
    a, b, _ = three_blocks()
    book = Book().add(a, b).settle(a, log_of(a, 0)).settle(b, log_of(b, 0), log_of(b, 1)).remove(b)
    assert book.said[-2:] == [(1001, 1, True), (1001, 0, True)]


def test_a_block_that_goes_before_its_check_takes_back_what_it_told_newest_first() -> None:
    a, b, _ = three_blocks()
    book = Book().add(a, b).hear(log_of(a, 0), log_of(a, 1), log_of(b, 0)).remove(b).remove(a)
    assert book.said == [(1000, 0, False), (1000, 1, False), (1000, 1, True), (1000, 0, True)]
    assert book.settle(a, log_of(a, 0)).add(a).said[4:] == [(1000, 0, False)]


def test_a_block_that_comes_back_again_and_again_is_told_from_memory() -> None:
    a, _, _ = three_blocks()
    book = Book().add(a).settle(a, log_of(a, 0))
    for _ in range(3):
        book.remove(a).add(a)
    assert book.said == [(1000, 0, False), *[(1000, 0, True), (1000, 0, False)] * 3]
    assert book.line.unsettled == []


def test_a_feeds_own_removals_and_logs_of_settled_blocks_are_ignored() -> None:
    a, _, _ = three_blocks()
    book = Book().add(a).settle(a).hear(log_of(a, 0), log_of(a, 0, removed=True))
    assert book.said == []
    assert not book.line.heard_of(a.hash)


def test_a_second_check_of_a_block_changes_nothing() -> None:
    a, _, _ = three_blocks()
    assert Book().add(a).settle(a, log_of(a, 0)).settle(a, log_of(a, 0), log_of(a, 1)).said == [(1000, 0, False)]


def test_a_check_that_cannot_be_made_is_a_gap_behind_what_was_told() -> None:
    a, b, _ = three_blocks()
    book = Book().add(a, b).hear(log_of(a, 0), log_of(b, 0))
    book.take(book.line.give_up(a.hash))
    assert book.gaps == [Gap(1000, 1000, 1000, "logs_unchecked")]
    assert book.said == [(1000, 0, False), (1001, 0, False)]
    assert book.line.give_up(a.hash) == []


def test_a_later_block_that_is_given_up_keeps_its_place() -> None:
    a, b, _ = three_blocks()
    book = Book().add(a, b).hear(log_of(b, 0))
    book.take(book.line.give_up(b.hash))
    assert (book.said, book.gaps) == ([], [])
    book.settle(a)
    assert (book.said, len(book.gaps)) == ([(1001, 0, False)], 1)


def test_the_gap_of_a_block_that_goes_away_goes_with_it() -> None:
    a, b, _ = three_blocks()
    book = Book().add(a, b)
    book.take(book.line.give_up(b.hash))
    assert book.remove(b).settle(a).gaps == []


def test_a_gap_of_the_heads_keeps_its_place() -> None:
    a, _, c = three_blocks()
    gap = Gap(1001, 1001, 1000, "backfill_failed")
    book = Book().take([])
    book.take(book.line.follow([Added(a), gap, Added(c)])).hear(log_of(c, 0))
    assert (book.gaps, book.said) == ([], [])
    book.settle(a)
    assert (book.gaps, book.said) == ([gap], [(1002, 0, False)])


def test_what_was_told_and_is_forgotten_cannot_be_taken_back_and_is_a_gap() -> None:
    forks, book = Forks(), Book(LogLine(window=2))
    blocks = forks.grow(8)
    for block in blocks:
        book.add(block).settle(block, log_of(block, 0))
    out = book.line.follow([Removed(blocks[0])])
    assert out == [Gap(1001, 1001, 1001, "logs_forgotten")]


def test_blocks_from_before_the_beginning_are_taken_back_if_somebody_was_told() -> None:
    a, b, c = three_blocks()
    line = LogLine()
    line.follow([Added(c)])
    line.adopt(b.hash, [log_of(b, 0)])
    line.adopt(b.hash, [])
    assert [
        json.loads(item)["removed"] for item in line.follow([Removed(c), Removed(b)]) if isinstance(item, bytes)
    ] == [True]
    assert line.follow([Removed(a)]) == []


def test_what_is_asked_of_the_line_for_a_replay() -> None:
    a, b, c = three_blocks()
    book = Book().add(a, b, c).settle(a, log_of(a, 0)).hear(log_of(b, 0))
    assert [log.index for log in book.line.logs_of(a.hash) or ()] == [0]
    assert [log.index for log in book.line.told_of(b.hash) or ()] == [0]
    assert book.line.heard_of(b.hash) == {0}
    assert book.line.told_of(c.hash) is None
    assert book.line.logs_of(c.hash) is None
    assert book.line.is_unsettled(c.hash)
    assert not book.line.is_unsettled(a.hash)


def test_logs_of_blocks_that_never_come_are_forgotten() -> None:
    line, forks = LogLine(), Forks()
    block = forks.tip
    for index in range(3):
        line.hear(log_of(block, index))
    other = forks.grow(1)[0]
    for index in range(MOST_EARLY):
        line.hear(log_of(other, index))
    assert not line.heard_of(block.hash)


@given(
    st.lists(st.sampled_from(["grow", "reorg", "replace", "back", "hear", "settle", "late", "twice"]), max_size=80),
    st.integers(),
)
def test_whatever_the_order_what_goes_out_folds_to_the_logs_of_the_canonical_chain(
    actions: list[str], seed: int
) -> None:
    forks, rng, book, heads = Forks(), Random(seed), Book(), HeadLine(1000)
    forks.grow(3)
    for block in forks.chain:
        book.take(book.line.follow(heads.tell(block, "a", 0.0)))
    old = forks.tip
    for action in actions:
        new: list[Header] = []
        match action:
            case "grow":
                new = forks.grow(rng.randint(1, 3))
            case "reorg":
                old, new = forks.tip, forks.reorg(rng.randint(1, 4), 1)
            case "replace":
                old, new = forks.tip, forks.reorg(1)
            case "back":
                new = forks.back_to(old)
            case "settle" if book.line.unsettled:
                block = rng.choice(book.line.unsettled)
                book.settle(block, *rng.sample(logs_of(block), len(logs_of(block))))
            case "hear" | "twice":
                for log in logs_of(forks.tip)[: rng.randint(0, 3)]:
                    book.hear(log, *([log] if action == "twice" else []))
            case "late":
                block = rng.choice(list(forks.all.values()))
                book.hear(*logs_of(block))
        for block in new:
            book.take(book.line.follow(heads.tell(block, "a", 0.0)))
    if heads.tip is not forks.tip:  # a branch that came back unseen is told with its next block
        for block in forks.grow(20):
            book.take(book.line.follow(heads.tell(block, "a", 0.0)))
        steps = heads.supply(forks.all.values())
        book.take(book.line.follow(steps))
    while book.line.unsettled:
        block = book.line.unsettled[-1]
        book.settle(block, *logs_of(block))
    expected = [(block.number, block.hash, log.index) for block in forks.chain for log in logs_of(block)]
    assert sorted(book.held) == sorted(expected)
    assert not book.gaps


def test_a_block_that_was_given_up_is_checked_again_when_it_comes_back() -> None:
    block = next(b for b in Forks().grow(12) if len(logs_of(b)) > 1)
    book, logs = Book().add(block), logs_of(block)
    book.hear(logs[0])
    book.take(book.line.give_up(block.hash))
    assert book.line.logs_of(block.hash) is None
    book.remove(block).add(block)
    assert book.line.unsettled == [block]
    book.take(book.line.settle(block.hash, logs))
    assert len(book.held) == len(logs)


def test_a_log_that_a_check_did_not_find_is_overlooked_once_and_taken_back_with_its_block() -> None:
    block = next(b for b in Forks().grow(12) if len(logs_of(b)) > 1)
    book, (first, second, *_) = Book().add(block), logs_of(block)
    assert not book.line.overlooked(first)
    book.take(book.line.settle(block.hash, [first]))
    assert book.line.overlooked(second)
    assert not book.line.overlooked(first)
    book.line.add(second)
    assert not book.line.overlooked(second)
    assert book.line.follow([Removed(block)]) == [second.as_removed(), first.as_removed()]


def test_which_block_may_still_be_told_of_in_order() -> None:
    one, two, three = (blocks := Forks().grow(3))
    line = LogLine()
    assert not line.follows(one.number)
    line.follow([Added(block) for block in blocks])
    assert line.waits_at == one.number
    line.settle(one.hash, [])
    assert line.is_last_told(one.number, three.number)
    line.hear(log_of(two, 0))
    assert not line.is_last_told(one.number, three.number)
    for block in (two, three):
        line.settle(block.hash, [])
    assert line.is_last_told(three.number, three.number)
    assert line.follows(one.number)
    assert line.waits_at is None
