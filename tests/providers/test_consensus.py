from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.providers.consensus import Vote, agreed, ranked


def votes(*heights: int) -> list[Vote]:
    return [Vote(height, height) for height in heights]


@pytest.mark.parametrize(
    ("heights", "wanted"),
    [
        ((100, 105, 103), 105),
        ((100, 108, 105, 103), 105),
        ((100, 110, 105, 103, 107), 107),
        ((*[100] * 8, 110), 100),
        ((100,), 100),
        ((), None),
    ],
)
def test_the_original_vectors(heights: tuple[int, ...], wanted: int | None) -> None:
    assert agreed(votes(*heights), 3) == wanted


def test_one_liar_among_three_moves_nobody() -> None:
    assert agreed(votes(100, 10**9, 100), 3) == 100
    assert agreed(votes(100, 104, 100), 3) == 100


@pytest.mark.parametrize("heights", [(100, 200), (100, 150, 200), (100, 100, 200, 200)])
def test_without_a_strict_majority_there_is_no_agreement(heights: tuple[int, ...]) -> None:
    assert agreed(votes(*heights), 3) is None


def test_agreement_is_measured_with_what_the_heights_will_be_by_now() -> None:
    assert agreed([Vote(1000, 1048), Vote(1048, 1048)], 3) == 1048
    assert agreed([Vote(1000, 1000), Vote(1048, 1048)], 3) is None


@given(st.lists(st.integers(1, 60), max_size=12), st.integers(0, 5))
def test_what_is_agreed_was_told_and_a_strict_majority_stands_by_it(heights: list[int], tolerance: int) -> None:
    height = agreed(votes(*heights), tolerance)
    if height is None:
        return
    assert height in ranked(votes(*heights))
    assert 2 * sum(abs(told - height) <= tolerance for told in heights) > len(heights)


@given(st.lists(st.integers(998, 1000), min_size=2, max_size=9), st.integers(1, 10**12))
def test_a_single_liar_never_makes_the_honest_lag_by_more_than_the_tolerance(honest: list[int], lie: int) -> None:
    height = agreed(votes(*honest, lie), 3)
    assert height is None or all(told - height >= -5 for told in honest)
    assert height is None or 2 * sum(height - told <= 3 for told in honest) >= len(honest)
