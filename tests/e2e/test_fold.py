"""The judge of what clients saw: does it see what is wrong?"""

from __future__ import annotations

import pytest

from tests.e2e.fold import Head, Log, LogEvent, Wrong, folded_heads, folded_logs

BEFORE = Head(4, "4", "3")
A5, A6, A7 = Head(5, "5a", "4"), Head(6, "6a", "5a"), Head(7, "7a", "6a")
B6, B7 = Head(6, "6b", "5a"), Head(7, "7b", "6b")


def log(block: int, index: int, branch: str = "a") -> Log:
    return Log(block, f"{block}{branch}", index, "0xab", "0x")


def test_a_line_of_heads_is_the_chain() -> None:
    assert folded_heads([A5, A6, A7], BEFORE) == [A5, A6, A7]


def test_a_new_branch_takes_the_old_ones_place() -> None:
    assert folded_heads([A5, A6, A7, B6, B7], BEFORE) == [A5, B6, B7]


@pytest.mark.parametrize("told", [[A5, A7], [A6], [A5, A5], [A5, A6, A5], [B7], [Head(9, "9", "4")]])
def test_heads_that_are_missing_doubled_or_strangers_are_seen(told: list[Head]) -> None:
    with pytest.raises(Wrong):
        folded_heads(told, BEFORE)


def test_removed_logs_go_and_others_come_in_their_place() -> None:
    events = [LogEvent(log(5, 0), False), LogEvent(log(6, 0), False)]
    events += [LogEvent(log(6, 0), True), LogEvent(log(6, 0, "b"), False), LogEvent(log(6, 1, "b"), False)]
    assert folded_logs(events) == [log(5, 0), log(6, 0, "b"), log(6, 1, "b")]


@pytest.mark.parametrize(
    "told",
    [
        [LogEvent(log(5, 0), False)] * 2,
        [LogEvent(log(5, 1), False), LogEvent(log(5, 0), False)],
        [LogEvent(log(6, 0), False), LogEvent(log(5, 0), False)],
        [LogEvent(log(5, 0), True)],
        [LogEvent(log(5, 0), False), LogEvent(log(5, 0, "b"), True)],
        [LogEvent(log(5, 0), False), LogEvent(log(5, 0, "b"), False)],
    ],
)
def test_logs_that_are_doubled_out_of_order_or_removed_without_having_come_are_seen(told: list[LogEvent]) -> None:
    with pytest.raises(Wrong):
        folded_logs(told)
