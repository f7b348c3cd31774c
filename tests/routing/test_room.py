"""The room that the results of one request share."""

from __future__ import annotations

import pytest

from lasso_trio.routing.room import Room
from lasso_trio.upstream.faults import TooLarge


def test_room_is_given_until_it_is_used_up() -> None:
    room = Room(10)
    room.take(4)
    room.take(6)
    with pytest.raises(TooLarge):
        room.take(1)


def test_what_does_not_fit_takes_nothing() -> None:
    room = Room(10)
    with pytest.raises(TooLarge):
        room.take(11)
    room.take(10)


def test_what_was_given_back_can_be_taken_again() -> None:
    room = Room(10)
    room.take(10)
    room.give_back(10)
    room.take(10)


def test_nobody_is_blamed_and_nobody_else_is_asked_for_what_does_not_fit() -> None:
    from lasso_trio.providers.classify import classify_fault

    with pytest.raises(TooLarge) as refused:
        Room(0).take(1)
    verdict = classify_fault(refused.value)
    assert not verdict.counts
    assert not verdict.retriable
