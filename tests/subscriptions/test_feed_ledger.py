from __future__ import annotations

from lasso_trio.subscriptions.feed_ledger import Ledger


def test_the_first_is_not_late_and_the_others_are_by_what_they_came_later() -> None:
    ledger = Ledger()
    assert ledger.told("x", "a", 10.0) == 0.0
    assert ledger.told("x", "b", 12.5) == 2.5
    assert ledger.told("x", "c", 9.0) == 0.0


def test_what_one_told_before_says_nothing() -> None:
    ledger = Ledger()
    ledger.told("x", "a", 10.0)
    assert ledger.told("x", "a", 30.0) is None


def test_what_happened_for_sure_is_due_once_with_those_who_told_it() -> None:
    ledger = Ledger()
    ledger.told("x", "a", 10.0)
    ledger.told("rumour", "a", 10.0)
    ledger.expect("x", 11.0)
    ledger.expect("x", 12.0)
    ledger.told("x", "b", 13.0)
    assert ledger.due(10.9) == []
    (event,) = ledger.due(11.0)
    assert (event.what, event.at, event.tellers) == ("x", 10.0, {"a", "b"})
    assert ledger.due(99.0) == []


def test_what_nobody_told_is_due_as_well() -> None:
    ledger = Ledger()
    assert ledger.expect("x", 5.0).tellers == set()
    assert [event.at for event in ledger.due(5.0)] == [5.0]


def test_it_does_not_grow() -> None:
    ledger = Ledger(most=3)
    for number in range(10):
        ledger.expect(number, float(number))
    assert [ledger.is_known(number) for number in (6, 7, 9)] == [False, True, True]
    assert [event.what for event in ledger.due(99.0)] == [7, 8, 9]
