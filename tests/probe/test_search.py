from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.probe.search import MOST_QUESTIONS, Search, rungs

STEPS = (1, 10, 100, 500, 1_000, 2_000, 5_000, 10_000)


def run(search: Search, limit: int, hint: int | None = None) -> Search:
    """Ask an endpoint that takes `limit`, and names `hint` when it refuses."""
    while (size := search.next) is not None:
        search = search.heard(size, taken=size <= limit, hint=hint)
    return search


def test_rungs_end_at_the_ceiling_and_never_pass_it() -> None:
    assert rungs(STEPS, 700) == (1, 10, 100, 500, 700)
    assert rungs(STEPS, 500) == (1, 10, 100, 500)


def test_what_takes_everything_is_open() -> None:
    done = run(Search(rungs(STEPS, 10_000)), 10**9)
    assert (done.accepted, done.took_all, done.refused, done.asked) == (10_000, True, None, len(STEPS))


def test_what_takes_nothing_has_no_limit_above_the_floor() -> None:
    done = run(Search(rungs(STEPS, 10_000)), 0)
    assert (done.accepted, done.refused, done.asked, done.took_all) == (0, 1, 1, False)


def test_a_named_limit_is_confirmed_with_two_questions() -> None:
    done = run(Search((1, 100, 10_000)), 799, hint=799)
    assert (done.accepted, done.refused, done.exact) == (799, 800, True)
    assert done.asked == 5  # three rungs, the number, its neighbour


def test_a_named_limit_that_is_wrong_is_not_believed() -> None:
    done = run(Search((1, 100, 10_000)), 350, hint=799)
    assert 343 <= done.accepted <= 350
    beyond = run(Search((1, 100, 1_000)), 350, hint=50_000)
    assert 343 <= beyond.accepted <= 350


def test_a_later_refusal_that_names_nothing_keeps_the_number() -> None:
    search = Search((1, 100)).heard(100, taken=False, hint=7).heard(50, taken=False)
    assert search.next == 7


@given(st.integers(0, 20_000), st.integers(1, 10_000))
def test_any_limit_is_found_within_the_precision_and_the_questions(limit: int, ceiling: int) -> None:
    done = run(Search(rungs(STEPS, ceiling)), limit)
    assert done.asked <= MOST_QUESTIONS
    assert done.accepted <= limit
    if limit >= ceiling:
        assert done.took_all
    else:
        assert done.refused is not None
        assert done.accepted <= limit < done.refused
        assert done.refused - done.accepted <= max(1, done.accepted * 0.02)


def test_a_search_gives_up_after_so_many_questions() -> None:
    assert Search((1,), asked=MOST_QUESTIONS).next is None


def test_depth_counts_from_below_zero() -> None:
    done = run(Search(rungs((0, 64, 128), 4_000), floor=-1), 128)
    assert 126 <= done.accepted <= 128
