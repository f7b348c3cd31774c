from __future__ import annotations

from collections.abc import Iterable

import attrs
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.subscriptions.head_line import PENDING, WINDOW, Added, Gap, HeadLine, Removed, Step
from lasso_trio.subscriptions.header import Header
from tests.subscriptions.forks import Forks, header


@attrs.define(eq=False)
class Reader:
    """Folds the steps as a client would, and checks each as it comes."""

    line: HeadLine
    seen: list[Header] = attrs.field(factory=list)
    gaps: list[Gap] = attrs.field(factory=list)
    _after_gap: bool = True

    def take(self, steps: Iterable[Step]) -> Reader:
        for step in steps:
            match step:
                case Added(header=block):
                    assert self._after_gap or not self.seen or self.seen[-1].hash == block.parent
                    self.seen.append(block)
                    self._after_gap = False
                case Removed(header=block):
                    if self.seen:  # a line that went back behind its first block (after `prepend`) takes more away
                        assert self.seen.pop() is block
                case Gap():
                    self.gaps.append(step)
                    self._after_gap = True
        return self

    def tell(self, blocks: Iterable[Header], source: str = "a", now: float = 0.0) -> list[int]:
        """The numbers that were added."""
        steps = [step for block in blocks for step in self.line.tell(block, source, now)]
        self.take(steps)
        return [step.header.number for step in steps if isinstance(step, Added)]


def reader(max_backfill: int = 100) -> Reader:
    return Reader(HeadLine(max_backfill))


def fill(reader: Reader, forks: Forks, rounds: int = 200) -> None:
    for _ in range(rounds):
        lacking = [forks.all[m.hash] for m in reader.line.missing() if m.hash in forks.all]
        if not lacking:
            return
        reader.take(reader.line.supply(lacking))


def test_a_block_told_by_two_feeds_goes_out_once() -> None:
    forks, r = Forks(), reader()
    blocks = [forks.tip, *forks.grow(3)]
    assert r.tell(blocks, "a") == [1000, 1001, 1002, 1003]
    assert r.tell(blocks, "b") == []
    assert r.line.tip is blocks[-1]


def test_a_hole_is_asked_for_and_closed_before_the_later_head_goes_out() -> None:
    forks, r = Forks(), reader()
    r.tell([forks.tip])
    blocks = forks.grow(3)
    assert r.tell(blocks[2:]) == []
    (missing,) = r.line.missing()
    assert (missing.hash, missing.number, missing.lowest) == (blocks[1].hash, 1002, 1000)
    assert r.line.supply([blocks[1]]) == []
    r.take(r.line.supply([blocks[0]]))
    assert r.seen[-3:] == blocks
    assert not r.line.is_waiting
    assert not r.gaps


def test_a_late_feed_closes_a_hole_as_well_as_a_reader() -> None:
    forks, r = Forks(), reader()
    r.tell([forks.tip])
    blocks = forks.grow(2)
    assert r.tell(blocks[1:], "a") == []
    assert r.tell(blocks[:1], "b") == [1001, 1002]


def test_a_reorganisation_is_told_from_the_fork_point_in_order() -> None:
    forks, r = Forks(), reader()
    r.tell([forks.tip, *forks.grow(5)])
    assert r.tell(forks.reorg(3, longer_by=1)) == [1003, 1004, 1005, 1006]
    assert r.seen == forks.chain


def test_a_node_that_tells_only_the_new_tip_makes_its_branch_be_asked_for() -> None:
    forks, r = Forks(), reader()
    r.tell([forks.tip, *forks.grow(5)])
    assert r.tell(forks.reorg(3)[-1:]) == []
    fill(r, forks)
    assert r.seen == forks.chain


def test_a_reorganisation_at_the_same_height_is_believed_of_a_source_that_was_on_our_branch() -> None:
    forks, r = Forks(), reader()
    r.tell([forks.tip, *forks.grow(1)])
    assert r.tell(forks.reorg(1)) == [1001]
    assert r.seen == forks.chain


def test_a_source_that_was_never_on_our_branch_does_not_move_it_at_the_same_height() -> None:
    forks, r = Forks(), reader()
    r.tell([forks.tip, *forks.grow(1)], "a")
    assert r.tell([header(1001, forks.chain[0].hash)], "b") == []
    assert r.seen == forks.chain


def test_a_late_feed_that_tells_the_old_branch_is_an_echo() -> None:
    forks, r = Forks(), reader()
    old = [forks.tip, *forks.grow(4)]
    r.tell(old, "a")
    new = forks.reorg(2)
    r.tell(new[:1], "a")  # our head is lower now than what the late one is about to tell
    assert r.tell(old, "late") == []
    assert r.tell(new, "late") == [1004]
    assert r.seen == forks.chain


def test_a_branch_that_comes_back_is_told_again() -> None:
    forks, r = Forks(), reader()
    r.tell([forks.tip, *forks.grow(2)], "a")
    old = forks.tip
    r.tell(forks.reorg(1), "a")
    assert r.tell(forks.back_to(old), "a") == [1002]
    assert r.tell([old], "b") == []
    assert r.seen == forks.chain


def test_a_branch_that_came_back_unseen_is_told_with_its_next_block() -> None:
    forks, r = Forks(), reader()
    r.tell([forks.tip, *forks.grow(2)], "a")
    old = forks.tip
    r.tell(forks.reorg(1), "a")
    forks.back_to(old)
    assert r.tell(forks.grow(1), "b") == [1002, 1003]
    assert r.seen == forks.chain


def test_a_head_that_jumps_further_than_the_bound_is_told_with_a_gap() -> None:
    forks, r = Forks(), reader(max_backfill=3)
    r.tell([forks.tip])
    forks.grow(10)
    r.tell([forks.tip])
    fill(r, forks)
    assert [block.number for block in r.seen] == [1000, 1007, 1008, 1009, 1010]
    assert r.gaps == [Gap(1001, 1006, 1000, "max_backfill_blocks")]


def test_without_backfill_each_hole_is_a_gap_at_once() -> None:
    forks, r = Forks(), reader(max_backfill=0)
    r.tell([forks.tip])
    forks.grow(2)
    assert r.tell([forks.tip]) == [1002]
    assert r.gaps == [Gap(1001, 1001, 1000, "max_backfill_blocks")]


def test_a_hole_that_cannot_be_filled_in_time_is_a_gap_and_the_line_goes_on() -> None:
    forks, r = Forks(), reader()
    r.tell([forks.tip])
    forks.grow(3)
    r.tell([forks.tip], now=5.0)
    assert r.line.give_up(14.9, patience_s=10.0) == []
    r.take(r.line.give_up(15.0, patience_s=10.0))
    assert r.gaps == [Gap(1001, 1002, 1000, "backfill_failed")]
    assert r.tell(forks.grow(1)) == [1004]


def test_a_fork_that_cannot_be_found_makes_everything_remembered_unproven() -> None:
    forks, r = Forks(), reader()
    r.tell([forks.tip, *forks.grow(5)])
    r.tell(forks.reorg(3)[-1:])
    r.take(r.line.give_up(99.0, patience_s=10.0))
    assert r.gaps == [Gap(1000, 1004, 1000, "backfill_failed")]
    assert r.seen[-1] is forks.tip


def test_a_head_that_nobody_can_connect_is_dropped_when_the_line_went_on_without_it() -> None:
    forks, r = Forks(), reader()
    r.tell([forks.tip], "a")
    r.tell([header(10**9, "0x" + "aa" * 32)], "liar")
    assert r.tell(forks.grow(1), "a", 1.0) == [1001]
    assert r.line.give_up(99.0, patience_s=10.0) == []
    assert not r.line.is_waiting
    assert not r.gaps


def test_of_many_claims_the_nearest_are_kept() -> None:
    forks, r = Forks(), reader()
    r.tell([forks.tip])
    for number in range(PENDING + 4):
        r.tell([header(10**6 - number, f"0x{number:064d}")], "liar")
    assert len(r.line.missing()) == PENDING
    assert r.line.missing()[0].number == 10**6 - PENDING - 4


def test_what_lies_below_the_window_is_no_news() -> None:
    forks, r = Forks(), reader()
    r.tell([forks.tip, *forks.grow(WINDOW + 5)])
    assert r.tell([header(1003, forks.chain[2].hash)]) == []
    assert r.line.low == 1006
    assert r.line.at(1005) is None
    assert r.line.line(0) == forks.chain[6:]


def test_a_chain_that_began_anew_is_followed_when_told_to() -> None:
    forks, r = Forks(), reader()
    r.tell([forks.tip, *forks.grow(WINDOW)])
    anew = Forks(first=3)
    r.take(r.line.restart(anew.tip))
    assert r.gaps == [Gap(2, 2, 2, "chain_reset")]
    assert r.tell(anew.grow(2)) == [4, 5]


def test_a_reorganisation_reaches_down_to_blocks_that_were_put_below_the_first() -> None:
    forks, r = Forks(), reader()
    forks.grow(5)
    r.tell([forks.tip])
    r.line.prepend(forks.chain[2:5])
    r.line.prepend([header(1001, "0x" + "00" * 32)])  # no ancestor
    assert r.line.low == 1002
    steps = [step for block in forks.reorg(3) for step in r.line.tell(block, "a", 0.0)]
    removed = [step.header.number for step in steps if isinstance(step, Removed)]
    assert removed == [1005, 1004, 1003]


def test_a_source_that_ended_begins_anew() -> None:
    forks, r = Forks(), reader()
    r.tell([forks.tip, *forks.grow(1)], "a")
    r.line.forget("a")
    assert r.tell([header(1001, forks.chain[0].hash)], "a") == []


def test_memory_is_bounded_whatever_is_told() -> None:
    r = reader(max_backfill=0)
    for step in range(4 * WINDOW):
        r.tell([header(10 + step * 1000, "0x" + "00" * 32)], f"source {step}")
    assert len(r.line._history) <= 3 * WINDOW
    assert len(r.line._seen) <= 64


class Told:
    """What one provider tells, late by `lag` events, each lost or doubled as drawn."""

    def __init__(self, name: str) -> None:
        self.name, self.queue = name, list[Header]()


ACTIONS = st.one_of(
    st.tuples(st.just("grow"), st.integers(1, 5)),
    st.tuples(st.just("reorg"), st.integers(1, 64)),
    st.tuples(st.just("longer"), st.integers(1, 64)),
    st.tuples(st.just("back"), st.just(0)),
    st.tuples(st.just("fill"), st.integers(1, 3)),
    st.tuples(st.sampled_from(["flush a", "flush b", "flush c"]), st.integers(1, 80)),
    st.tuples(st.sampled_from(["lose a", "lose b", "lose c"]), st.integers(1, 20)),
    st.tuples(st.sampled_from(["double a", "double b", "double c"]), st.just(1)),
    st.tuples(st.sampled_from(["swap a", "swap b", "swap c"]), st.just(1)),
    st.tuples(st.sampled_from(["die a", "die b", "die c"]), st.just(0)),
)


@given(st.lists(ACTIONS, max_size=60))
def test_whatever_is_lost_late_doubled_or_reorganised_the_steps_fold_to_the_canonical_chain(
    actions: list[tuple[str, int]],
) -> None:
    forks, r = Forks(), reader(max_backfill=1000)
    forks.grow(70)
    r.tell([forks.tip])
    queues: dict[str, list[Header]] = {"a": [], "b": [], "c": []}
    tips = [forks.tip]
    for action, amount in actions:
        word, _, name = action.partition(" ")
        new: list[Header] = []
        if word == "grow":
            new = forks.grow(amount)
        elif word in ("reorg", "longer"):
            tips.append(forks.tip)
            new = forks.reorg(amount, longer_by=word == "longer")
        elif word == "back":
            new = forks.back_to(tips[len(actions) % len(tips)])
        elif word == "fill":
            fill(r, forks, rounds=amount)
        for queue in queues.values():
            queue.extend(new)
        if not name:
            continue
        queue = queues[name]
        if word == "flush":
            r.tell(queue[:amount], name)
            del queue[:amount]
        elif word == "lose":
            del queue[:amount]
        elif word == "double":
            queue[:0] = queue[:1]
        elif word == "swap":
            queue[:2] = queue[1::-1]
        else:
            queue.clear()
            r.line.forget(name)
    for name, queue in queues.items():
        r.tell(queue, name)
    high = max(block.number for block in forks.all.values())
    r.tell(forks.grow(high + 1 - forks.tip.number), "a")  # a branch that is higher than any before
    fill(r, forks)
    assert r.line.tip is forks.tip
    assert not r.gaps
    assert r.line.line(0) == [block for block in forks.chain if block.number >= r.line.low]
    assert [block.number for block in r.seen][-40:] == [block.number for block in forks.chain][-len(r.seen[-40:]) :]
    assert r.seen[-40:] == forks.chain[-len(r.seen[-40:]) :]
