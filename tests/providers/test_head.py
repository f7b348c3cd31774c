from __future__ import annotations

import pytest

from lasso_trio.providers.head import ChainCheck, Head


def test_nothing_told_is_not_fresh_and_may_serve() -> None:
    head = Head()
    assert not head.fresh(0.0)
    assert head.check.may_serve


@pytest.mark.parametrize(("poll_s", "lasts_s"), [(2.0, 30.0), (12.0, 30.0), (60.0, 150.0)])
def test_a_height_is_fresh_for_thirty_seconds_or_two_and_a_half_polls(poll_s: float, lasts_s: float) -> None:
    head = Head()
    head.tell(100, 10.0, poll_s)
    assert head.fresh(10.0 + lasts_s)
    assert not head.fresh(10.1 + lasts_s)


def test_only_the_right_chain_may_serve_or_one_nobody_can_ask() -> None:
    assert {check for check in ChainCheck if check.may_serve} == {ChainCheck.TRUSTED, ChainCheck.RIGHT, ChainCheck.MUTE}


def test_the_age_of_the_newest_block_is_kept_until_the_next_is_known() -> None:
    head = Head()
    head.tell(100, 0.0, 12.0, age_s=5.0)
    head.tell(101, 12.0, 12.0)
    assert (head.age_s, head.oldest_s(20.0)) == (5.0, 5.0)


def test_a_block_that_is_still_the_newest_gets_older() -> None:
    head = Head()
    assert head.oldest_s(0.0) is None
    head.tell(100, 0.0, 12.0, age_s=5.0)
    head.tell(100, 60.0, 12.0)
    assert head.oldest_s(60.0) == 65.0


def seen(*heights: int) -> tuple[list[int | None], int]:
    head, counted = Head(), []
    for height in heights:
        head.tell(height, 0.0, 12.0)
        counted.append(head.height)
    return counted, head.jumps_back


def test_a_head_that_jumped_back_once_is_back_as_soon_as_it_says_so() -> None:
    assert seen(1000, 990, 1001, 1002) == ([1000, 990, 1001, 1002], 1)


def test_a_head_that_keeps_jumping_counts_as_the_lower_one_all_the_time() -> None:
    assert seen(1000, 990, 1002, 992, 1004, 994, 1006) == ([1000, 990, 1002, 992, 992, 994, 994], 3)


def test_it_is_believed_again_when_it_stops() -> None:
    assert seen(1000, 990, 1002, 992, 1004, 1005, 1006)[0][-3:] == [992, 992, 1006]


def test_two_jumps_far_apart_are_no_habit() -> None:
    assert seen(1000, 990, *range(1001, 1006), 990, 1007)[0][-2:] == [990, 1007]


def test_zero_is_no_other_node() -> None:
    assert seen(1000, 0, 1002, 0, 1004)[0] == [1000, 0, 1002, 0, 1004]


def test_a_reorganisation_is_no_jump() -> None:
    head = Head()
    head.tell(1000, 0.0, 12.0)
    head.tell(998, 12.0, 12.0)
    head.tell(1001, 24.0, 12.0)
    assert (head.height, head.jumps_back) == (1001, 0)


def test_a_lower_height_while_wary_counts_as_it_is() -> None:
    assert seen(1000, 990, 1000, 990, 985) == ([1000, 990, 1000, 990, 985], 3)


@pytest.mark.parametrize(("height", "kept"), [(1001, True), (997, True), (996, False), (10, False)])
def test_what_was_safe_and_finalized_is_forgotten_when_it_jumps_back(height: int, kept: bool) -> None:
    head = Head(safe=968, finalized=936)
    head.tell(1000, 0.0, 12.0)
    head.tell(height, 12.0, 12.0)
    assert (head.safe, head.finalized) == ((968, 936) if kept else (None, None))
