"""What is heard of the others, and what stays of them."""

from __future__ import annotations

import pytest

from lasso_trio.telemetry.usage import Usage
from lasso_trio.workers import heard_figures
from lasso_trio.workers.figure_sums import NOTHING
from lasso_trio.workers.figures import CandidateFigures, ChainFigures, Figures, RowFigures
from lasso_trio.workers.heard_figures import HeardFigures


def figures(calls: int, life: str = "a", in_flight: int = 0) -> Figures:
    usage = Usage(1, in_flight={"i http": in_flight})
    chain = ChainFigures("p", "eth", calls, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, {}, [calls], [])
    candidate = CandidateFigures("p", "eth", "i:http", calls, calls, 0, 0, 1.0, [])
    row = RowFigures("i", "http", "eth_call", calls, 0, NOTHING, NOTHING, 0)
    return Figures(life, usage, [chain], [candidate], [row])


def calls(heard: HeardFigures) -> int:
    counts = {
        sum(each.calls for each, _ in heard.chain("p", "eth")),
        sum(each.attempts for each, _ in heard.candidate("p", "eth", "i:http")),
        sum(each.answered for each, _ in heard.row("i", "http", "eth_call")),
    }
    (count,) = counts
    return count


def test_the_newest_that_each_told_is_added() -> None:
    heard = HeardFigures()
    heard.take(1, figures(5, in_flight=1), 10)
    heard.take(2, figures(3, "b", in_flight=2), 10)
    heard.take(1, figures(7, in_flight=1), 11)
    assert calls(heard) == 10
    assert heard.in_flight("i", "http") == 3
    assert heard.methods("i", "http") == ["eth_call"]
    assert heard.methods("i", "ws") == []
    assert heard.chain("p", "other") == heard.candidate("p", "eth", "x") == heard.row("i", "http", "x") == []


def test_what_a_worker_counted_stays_when_it_is_gone_and_its_successor_adds_to_it() -> None:
    heard = HeardFigures()
    heard.take(1, figures(5, in_flight=1), 10)
    heard.lose(1)
    heard.lose(1)
    assert (calls(heard), heard.in_flight("i", "http")) == (5, 0)
    heard.take(1, figures(2, "b"), 20)
    assert calls(heard) == 7
    heard.take(1, figures(1, "c"), 30)  # its end was not noticed
    assert calls(heard) == 8
    assert [each.call_rate for each, _ in heard.chain("p", "eth")] == [[1], []]


def test_who_joins_is_told_of_those_that_ended_before() -> None:
    old, new = HeardFigures(), HeardFigures()
    for life in ("a", "b"):
        old.take(1, figures(5, life), 10)
        old.lose(1)
    new.take_gone(old.gone())
    new.take_gone(old.gone())
    assert calls(new) == 10


def test_a_life_is_counted_once_whoever_tells_of_its_end_first() -> None:
    old, other = HeardFigures(), HeardFigures()
    old.take(1, figures(5), 10)
    other.take(1, figures(5), 10)
    old.lose(1)
    other.take_gone(old.gone())
    assert calls(other) == 5
    other.lose(1)
    assert calls(other) == 5
    other.take_gone(HeardFigures().gone())
    assert calls(other) == 5


def test_names_of_lives_are_bounded_and_sums_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard_figures, "LIVES_KEPT", 3)
    heard = HeardFigures()
    for life in range(10):
        heard.take(1, figures(1, str(life)), 10)
        heard.lose(1)
    assert calls(heard) == 10
    assert heard.gone().lives == ["7", "8", "9"]
