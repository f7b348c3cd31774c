from __future__ import annotations

from collections.abc import Iterator

import pytest

from lasso_trio.subscriptions.feed_ledger import EARLY_S, Ledger

BLOCK_S = 2.0


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


def tellings(logs: int, lost: int, alternately: bool) -> list[tuple[str, int]]:
    all_ = [(label, log) for label, many in (("a", logs), ("b", logs - lost)) for log in range(many)]
    return sorted(all_, key=lambda telling: telling[1]) if alternately else all_


def blamed(ledger: Ledger, logs: int, slowly: int = 0, alternately: bool = True, lost: int = 0) -> Iterator[int]:
    """How often a feed is blamed with each block, of which two tell all logs, but `b` not the last `lost` of them.

    The check of a block ends `slowly` blocks later.
    """
    for block in range(8):
        for label, log in tellings(logs, lost, alternately):
            ledger.told((block, log), label, BLOCK_S * block + 0.02 * (label == "b"))
        if block >= slowly:
            for log in range(logs):
                ledger.expect((block - slowly, log), BLOCK_S * (block - slowly))
            yield sum(len("ab") - len(event.tellers) for event in ledger.due(BLOCK_S * block))


@pytest.mark.parametrize("alternately", [True, False])
@pytest.mark.parametrize(("logs", "slowly"), [(30, 0), (40, 0), (41, 0), (60, 0), (400, 0), (10, 4), (21, 1), (8, 5)])
def test_who_told_everything_is_never_blamed_however_much_it_was(logs: int, slowly: int, alternately: bool) -> None:
    assert not any(blamed(Ledger(most=40), logs, slowly, alternately))


def test_who_loses_something_is_blamed_while_it_is_known_who_told_what() -> None:
    assert set(blamed(Ledger(most=100), 40, lost=5)) == {5}
    # The 30th to the 40th: after that some are forgotten, and of a new one nobody can say that it is new.
    assert next(blamed(Ledger(most=40), 60, lost=30)) == 11


def test_who_tells_what_was_checked_and_pushed_out_a_moment_before_is_not_blamed() -> None:
    ledger = Ledger(most=3)
    for number in range(6):
        ledger.told(number, "a", 10.0)
        ledger.expect(number, 10.0)
    for number in range(6):
        ledger.told(number, "b", 10.5)
    assert all(event.tellers == {"a", "b"} for event in ledger.due(99.0))


def test_what_nobody_tells_is_due_however_much_it_is() -> None:
    ledger = Ledger(most=3)
    for number in range(10):
        ledger.expect(number, 0.1 * number)
        assert [event.what for event in ledger.due(99.0)] == [number]


def test_what_is_old_is_forgotten_and_nobody_is_blamed_for_it() -> None:
    ledger = Ledger()
    for number in range(6):
        ledger.told(number, "a", 10.0 * number)
    ledger.forget(30.0)
    assert [number for number in range(6) if ledger.is_known(number)] == [3, 4, 5]
    ledger.expect(2, 20.0)  # a check that took very long
    ledger.expect(99, 20.0 + EARLY_S + 0.1)
    assert [event.what for event in ledger.due(99.0)] == [99]
