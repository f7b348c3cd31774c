from __future__ import annotations

import pytest

from lasso_trio.providers.learned import DOUBLINGS, INFERRED_FOR_S, TOLD_FOR_S, Kind, Learned, LearnedLimits


def test_a_limit_that_was_told_is_believed_until_it_doubles_and_is_forgotten() -> None:
    learned = LearnedLimits()
    learned.told(Kind.BLOCKS, 500, 0.0)
    assert learned.limit(Kind.BLOCKS, TOLD_FOR_S - 1) == 500
    assert learned.limit(Kind.BLOCKS, TOLD_FOR_S) == 1000
    assert learned.limit(Kind.BLOCKS, TOLD_FOR_S * DOUBLINGS) is None
    assert learned.known(TOLD_FOR_S * DOUBLINGS) == {}


def test_the_oldest_block_does_not_double() -> None:
    learned = LearnedLimits()
    learned.told(Kind.EARLIEST, 500, 0.0)
    assert learned.limit(Kind.EARLIEST, TOLD_FOR_S) == 500


def test_how_far_back_it_goes_is_believed_until_it_is_forgotten() -> None:
    learned = LearnedLimits()
    assert learned.reaches(0, 0.0)
    learned.told(Kind.EARLIEST, 500, 0.0)
    assert [learned.reaches(block, 1.0) for block in (499, 500)] == [False, True]
    assert learned.reaches(499, TOLD_FOR_S * DOUBLINGS)


def test_state_that_was_lacking_is_believed_to_be_gone_for_a_few_minutes() -> None:
    learned = LearnedLimits()
    learned.lacked_state(500, 0.0)
    learned.lacked_state(400, 200.0)  # no news
    assert learned.known(0.0) == {"state": 501}
    assert [learned.reaches(block, 1.0, state=True) for block in (500, 501)] == [False, True]
    assert learned.reaches(500, 1.0)
    learned.lacked_state(600, 250.0)
    assert learned.known(INFERRED_FOR_S) == {"state": 601}
    assert learned.reaches(0, 250.0 + INFERRED_FOR_S, state=True)


def test_who_told_its_oldest_block_has_told_of_its_state() -> None:
    learned = LearnedLimits()
    learned.told(Kind.EARLIEST, 500, 0.0)
    learned.lacked_state(499, 0.0)
    assert learned.known(0.0) == {"earliest": 500}
    assert not learned.reaches(499, 0.0, state=True)


def test_a_refusal_without_a_number_halves_what_was_asked_for_a_short_time() -> None:
    learned = LearnedLimits()
    learned.inferred(Kind.BLOCKS, 1000, 0.0)
    assert learned.limit(Kind.BLOCKS, 0.0) == 500
    learned.inferred(Kind.BLOCKS, 2000, 0.0)  # known already that this is too much
    assert learned.limit(Kind.BLOCKS, 0.0) == 500
    learned.inferred(Kind.BLOCKS, 400, 0.0)
    assert learned.limit(Kind.BLOCKS, 0.0) == 200
    assert learned.limit(Kind.BLOCKS, INFERRED_FOR_S) == 400


def test_what_was_served_raises_a_limit_and_makes_none() -> None:
    learned = LearnedLimits()
    learned.served(Kind.BLOCKS, 10, 0.0)
    assert learned.limit(Kind.BLOCKS, 0.0) is None
    learned.told(Kind.BLOCKS, 500, 0.0)
    learned.served(Kind.BLOCKS, 400, 0.0)
    assert learned.limit(Kind.BLOCKS, 0.0) == 500
    learned.served(Kind.BLOCKS, 900, 0.0)
    assert learned.limit(Kind.BLOCKS, 0.0) == 900


@pytest.mark.parametrize(
    ("told", "known"),
    [
        (Learned(Kind.BLOCKS, 500), {"blocks": 500}),
        (Learned(Kind.BLOCKS, 50_000), {"blocks": 1000}),  # would have allowed it: not what was meant
        (Learned(Kind.BLOCKS), {"blocks": 1000}),
        (Learned(Kind.ADDRESSES), {"addresses": 5}),
        (Learned(Kind.RESULTS, 10_000), {"results": 10_000}),
        (Learned(Kind.RESULTS), {}),
        (Learned(Kind.SUGGESTED, 100), {}),
    ],
)
def test_a_refusal_of_two_thousand_blocks_and_ten_addresses_teaches(told: Learned, known: dict[str, int]) -> None:
    learned = LearnedLimits()
    learned.refused((told,), 2000, 10, 0.0)
    assert learned.known(0.0) == known


@pytest.mark.parametrize("kind", [Kind.BLOCKS, Kind.ADDRESSES])
@pytest.mark.parametrize("few", [0, 1])
def test_what_there_is_one_of_was_not_too_many(kind: Kind, few: int) -> None:
    learned = LearnedLimits()
    learned.refused((Learned(kind),), few, few, 0.0)
    assert learned.known(0.0) == {}
