"""Heads of one chain, told by hand: `told(a=100, b=(98, -5.0))` is a at 100 now, b at 98 five seconds ago."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.providers.block_time import BlockTime
from lasso_trio.providers.head import ChainCheck, Head
from lasso_trio.providers.heads import DECAY_S, ChainHeads

NOW = 1000.0


def told(tolerance: int | None = 3, block_s: float = 12.0, poll_s: float = 12.0, **heights: Any) -> ChainHeads:
    chain = ChainHeads({name: Head() for name in heights}, BlockTime(block_s), tolerance)
    tell(chain, NOW, poll_s, **heights)
    return chain


def tell(chain: ChainHeads, now: float, poll_s: float = 12.0, **heights: Any) -> None:
    for name, height in heights.items():
        number, ago = height if isinstance(height, tuple) else (height, 0.0)
        if number is not None:
            chain.heads[name].tell(number, now + ago, poll_s)


def consensus(chain: ChainHeads, now: float = NOW) -> int | None:
    return chain.view(now).consensus


@pytest.mark.parametrize(
    ("heights", "wanted"),
    [
        ((100, 105, 103), 105),
        ((100, 108, 105, 103), 105),
        ((100, 110, 105, 103, 107), 107),
        ((*[100] * 8, 110), 100),
        ((100, (105, -30.1), 103), 103),
        ((100, None), 100),
        ((None, None), None),
    ],
)
def test_the_original_consensus_vectors(heights: tuple[Any, ...], wanted: int | None) -> None:
    assert consensus(told(**{f"p{i}": height for i, height in enumerate(heights)})) == wanted


def test_a_fast_chain_gets_credit_for_the_seconds_since_the_poll() -> None:
    chain = told(block_s=0.25, tolerance=10, a=(1000, -2.0), b=1008, c=1008)
    assert (chain.raw_lag("a", NOW), chain.lag("a", NOW)) == (-8, 0)


def test_a_slow_chain_gets_none_and_a_fresh_height_neither() -> None:
    assert told(a=(1000, -2.0), b=1002, c=1002).lag("a", NOW) == -2
    chain = told(tolerance=5, a=995, b=1000, c=1000)
    assert (chain.raw_lag("a", NOW), chain.lag("a", NOW)) == (-5, -5)


def test_credit_is_at_most_one_poll_and_never_above_a_height_that_was_seen() -> None:
    assert told(a=(1000, -24.0), b=1002, c=1002, poll_s=12.0).lag("a", NOW) == -1
    assert told(a=(1000, -24.0), b=1002, c=1002, poll_s=24.0).lag("a", NOW) == 0
    assert told(block_s=0.25, tolerance=10, a=(1000, -12.0), b=1001, c=1001).lag("a", NOW) == 0


def test_who_told_nothing_or_long_ago_has_no_lag() -> None:
    chain = told(a=None, b=100, c=(10, -31.0), d=100)
    assert [chain.lag(name, NOW) for name in "abcd"] == [None, 0, None, 0]
    assert chain.raw_lag("a", NOW) is None


def test_a_zero_height_has_no_vote_but_lags() -> None:
    chain = told(a=0, b=100, c=100)
    assert consensus(chain) == 100
    assert chain.lag("a", NOW) == -100
    assert consensus(told(a=0)) is None


@pytest.mark.parametrize("check", [ChainCheck.WRONG, ChainCheck.PENDING])
def test_another_chain_has_no_vote(check: ChainCheck) -> None:
    chain = told(a=500, b=100)
    chain.heads["a"].check = check
    assert consensus(chain) == 100


def test_a_syncing_node_has_no_vote() -> None:
    chain = told(a=50, b=50, c=100)
    chain.heads["a"].syncing = chain.heads["b"].syncing = True
    assert consensus(chain) == 100


@pytest.mark.parametrize("age_s", [3600.0, -60.0])
def test_blocks_that_are_too_old_or_of_tomorrow_have_no_vote(age_s: float) -> None:
    chain = told(a=100, b=50, c=50)
    for name, age in (("a", 5.0), ("b", age_s), ("c", age_s)):
        chain.heads[name].age_s = age
    assert consensus(chain) == 100


def test_when_all_blocks_are_old_the_chain_stands_still_and_all_vote() -> None:
    chain = told(a=100, b=100)
    chain.heads["a"].age_s = chain.heads["b"].age_s = 9000.0
    assert consensus(chain) == 100


def test_of_two_without_a_past_the_higher_is_believed_unless_it_is_days_ahead() -> None:
    assert consensus(told(a=1000, b=900)) == 1000
    assert consensus(told(a=10**9, b=900)) is None


def test_three_that_all_tell_something_else_agree_on_nothing_and_nobody_lags() -> None:
    chain = told(a=100, b=200, c=300)
    assert consensus(chain) is None
    assert chain.lag("a", NOW) is chain.raw_lag("a", NOW) is None


def test_the_tip_goes_on_with_the_one_that_grows_when_the_others_freeze() -> None:
    chain = told(a=1000, b=1000, c=1000)
    for step in range(1, 11):
        now = NOW + 12.0 * step
        tell(chain, now, a=1000 + step, b=1000, c=1000)
        chain.view(now)
    assert (chain.tip, chain.lag("b", now), chain.lag("a", now)) == (1003, -3, 7)


def test_a_lone_lie_far_above_the_tip_is_not_believed() -> None:
    chain = told(a=1000, b=1000)
    assert consensus(chain) == 1000
    tell(chain, NOW + 1, a=10**9, b=1000)
    assert consensus(chain, NOW + 1) == 1000
    tell(chain, NOW + 60, a=10**9)
    assert consensus(chain, NOW + 60) == 1000


def test_of_two_the_one_that_grows_at_the_chains_pace_is_believed() -> None:
    chain = told(a=1000, b=1000)
    for step in range(1, 20):
        chain.view(NOW + 12.0 * step - 1)
        tell(chain, NOW + 12.0 * step, a=1000 + step, b=1000)
    assert chain.lag("b", NOW + 12.0 * 19) == -19


def test_a_node_behind_a_load_balancer_does_not_roll_the_tip_back() -> None:
    chain = told(a=1000)
    heights = []
    for step, height in enumerate((990, 1001, 991, 1003, 1004, 1005), 1):
        tell(chain, NOW + 12 * step, a=height)
        heights.append(consensus(chain, NOW + 12 * step))
    assert heights == sorted(heights)
    assert chain.rollbacks == 0


def test_two_that_fall_back_do_not_outvote_the_tip_that_a_third_stands_by() -> None:
    chain = told(a=1000, b=1000, c=1000)
    assert consensus(chain) == 1000
    for step in range(1, 12):
        now = NOW + 12 * step
        tell(chain, now, a=1000 + step // 6, b=900, c=900)
        assert consensus(chain, now) >= 1000  # type: ignore[operator]
    assert chain.lag("b", now) <= -100  # type: ignore[operator]


def test_a_chain_that_was_reset_is_believed_after_a_minute() -> None:
    chain = told(a=1000, b=1000)
    chain.heads["a"].finalized = chain.heads["b"].finalized = 936
    assert (consensus(chain), chain.finalized) == (1000, 936)
    tell(chain, NOW + 1, a=10, b=10)
    assert (consensus(chain, NOW + 1), chain.finalized) == (1000, 936)
    tell(chain, NOW + DECAY_S + 2, a=12, b=12)
    assert (consensus(chain, NOW + DECAY_S + 2), chain.rollbacks, chain.finalized) == (12, 1, None)
    chain.heads["a"].finalized = chain.heads["b"].finalized = 5
    assert chain.view(NOW + DECAY_S + 3).finalized == 5


def test_what_a_reset_chain_has_told_before_it_was_believed_counts_from_then_on() -> None:
    chain = told(a=1000, b=1000)
    for head in chain.heads.values():
        head.finalized = 936
    chain.view(NOW)
    tell(chain, NOW + 1, a=10, b=10)
    for head in chain.heads.values():
        head.finalized = 5
    assert chain.view(NOW + 1).finalized == 936
    tell(chain, NOW + DECAY_S + 2, a=12, b=12)
    assert chain.view(NOW + DECAY_S + 2).finalized == 5


def test_safe_and_finalized_are_what_all_that_agree_have_and_never_go_back() -> None:
    chain = told(a=1000, b=1000, c=900)
    for name, safe, finalized in (("a", 968, 936), ("b", 960, None), ("c", 10, 5)):
        chain.heads[name].safe, chain.heads[name].finalized = safe, finalized
    view = chain.view(NOW)
    assert (view.safe, view.finalized) == (960, 936)
    chain.heads["b"].safe = 950
    assert chain.view(NOW + 1).safe == 960


def test_a_view_is_reckoned_once_in_a_fifth_of_a_second() -> None:
    chain = told(a=100)
    first = chain.view(NOW)
    tell(chain, NOW + 0.1, a=101)
    assert chain.view(NOW + 0.1) is first
    assert consensus(chain, NOW + 0.2) == 101


def test_block_time_is_learnt_from_heights_that_move() -> None:
    chain = told(a=100)
    for step in range(1, 40):
        tell(chain, NOW + step, a=100 + step // 2)
        chain.view(NOW + step)
    assert chain.block_time.mean_s == pytest.approx(2.0, rel=0.1)


def test_without_a_configured_lag_agreement_allows_for_a_fast_chains_skew() -> None:
    assert consensus(told(tolerance=None, block_s=0.25, a=1000, b=1018, c=1018)) == 1018


def test_a_block_is_there_when_the_head_has_it_by_now_or_nobody_knows() -> None:
    chain = told(a=100, b=102, c=None, d=102)
    assert [chain.has_block(chain.heads[name], 101, NOW) for name in "abc"] == [False, True, True]
    assert chain.has_block(chain.heads["a"], 101, NOW + 12.0)


@given(st.lists(st.lists(st.integers(990, 1010), min_size=3, max_size=3), min_size=1, max_size=12))
def test_whatever_is_told_the_consensus_only_falls_by_a_counted_rollback(rounds: list[list[int]]) -> None:
    chain = told(a=1000, b=1000, c=1000)
    before = consensus(chain)
    for step, (a, b, c) in enumerate(rounds, 1):
        rollbacks = chain.rollbacks
        tell(chain, NOW + 12 * step, a=a, b=b, c=c)
        after = consensus(chain, NOW + 12 * step)
        assert after is not None
        assert before is not None
        assert after >= before or chain.rollbacks > rollbacks
        before = after


@given(st.integers(1, 10**12))
def test_one_liar_never_makes_a_majority_lag(lie: int) -> None:
    chain = told(a=1000, b=1001, c=lie)
    lags = [chain.lag(name, NOW) for name in "ab"]
    assert all(lag is None or lag >= -4 for lag in lags)


@pytest.mark.parametrize("pace", [True, False])
def test_who_takes_over_goes_on_where_the_other_stood(pace: bool) -> None:
    old, new = told(a=1000, b=1000), told(a=None, block_s=2.0)
    consensus(old, NOW)
    old.rollbacks, old.kept_all, old.safe, old.finalized = 3, 4, 990, 980
    new.take_over(old, pace=pace)
    assert (new.tip, new.rollbacks, new.kept_all, new.safe, new.finalized) == (1000, 3, 4, 990, 980)
    assert new.block_time.seconds == (12.0 if pace else 2.0)
