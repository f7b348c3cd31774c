from __future__ import annotations

import io

import pytest
from rich.console import Console

from lasso_trio.loadtest.order import Order
from lasso_trio.loadtest.outcome import OK
from lasso_trio.loadtest.table import show, warnings
from lasso_trio.loadtest.tally import Tally
from tests.loadtest.conftest import order


def shown(its: Order, tally: Tally) -> str:
    stream = io.StringIO()
    show(Console(file=stream, width=100, highlight=False), its, tally)
    return stream.getvalue()


def tally_of(*latencies: float, failed: int = 0) -> Tally:
    tally = Tally(seconds=2.0)
    for seconds in latencies:
        tally.add(OK, seconds)
    for _ in range(failed):
        tally.add("HTTP 429", 0.0)
    return tally


def test_the_headline_and_the_shape_are_there() -> None:
    text = shown(order(), tally_of(0.0005, 0.05, 2.0))
    assert "http://target.example: 3 calls in 2.00 s, 10 clients" in text
    assert {"0.00%", "0.50", "2.00"} <= set(text.split())
    assert "failed with" not in text


def test_failures_are_listed_by_kind() -> None:
    text = shown(order(rate=5.0), tally_of(0.05, failed=3))
    assert "75.00%" in text
    assert "HTTP 429" in text
    assert "5 due a second" in text


def test_without_an_answer_there_is_no_latency_to_show() -> None:
    assert "…" not in shown(order(), tally_of(failed=2))


@pytest.mark.parametrize(
    ("rate", "cpu_s", "late_s", "said"),
    [(None, 0.1, 5.0, []), (None, 1.9, 0.0, ["of a core"]), (5.0, 0.1, 0.5, ["waited 500 ms"])],
)
def test_what_makes_the_figures_worth_less_is_said(
    rate: float | None, cpu_s: float, late_s: float, said: list[str]
) -> None:
    tally = Tally(seconds=2.0, cpu_s=cpu_s, late_s=late_s)
    found = list(warnings(order(rate=rate), tally))
    assert len(found) == len(said)
    assert all(words in warning for words, warning in zip(said, found, strict=True))
