"""Limits that another process learned, and what is worth telling it."""

from __future__ import annotations

from lasso_trio.providers.learned import SAME_S, Kind, LearnedLimits


def heard_of(limits: LearnedLimits) -> list[Kind]:
    heard: list[Kind] = []
    limits.on_change = heard.append
    return heard


def test_a_limit_learned_elsewhere_is_believed_and_ages_alike() -> None:
    theirs, mine = LearnedLimits(), LearnedLimits()
    theirs.inferred(Kind.BLOCKS, 2000, 10.0)
    for kind, limit in theirs.news().items():
        assert mine.adopt(kind, limit)
    for now in (10.0, 400.0, 1000.0, 9000.0):
        assert mine.limit(Kind.BLOCKS, now) == theirs.limit(Kind.BLOCKS, now)


def test_the_later_word_holds() -> None:
    early, late, mine = LearnedLimits(), LearnedLimits(), LearnedLimits()
    early.told(Kind.BLOCKS, 100, 1.0)
    late.told(Kind.BLOCKS, 5000, 2.0)
    assert mine.adopt(Kind.BLOCKS, late.news()[Kind.BLOCKS])
    assert not mine.adopt(Kind.BLOCKS, early.news()[Kind.BLOCKS])
    assert mine.limit(Kind.BLOCKS, 3.0) == 5000


def test_what_is_learned_here_is_told_and_what_is_adopted_is_not() -> None:
    theirs, mine = LearnedLimits(), LearnedLimits()
    heard = heard_of(mine)
    theirs.told(Kind.RESULTS, 10_000, 1.0)
    mine.adopt(Kind.RESULTS, theirs.news()[Kind.RESULTS])
    assert heard == []
    mine.told(Kind.BLOCKS, 800, 1.0)
    mine.served(Kind.BLOCKS, 900, 2.0)
    assert heard == [Kind.BLOCKS, Kind.BLOCKS]


def test_the_same_again_is_told_once_a_minute() -> None:
    mine = LearnedLimits()
    heard = heard_of(mine)
    for now in (0.0, 1.0, 2.0, 2.0 + SAME_S):
        mine.told(Kind.BLOCKS, 800, now)
    assert len(heard) == 2
