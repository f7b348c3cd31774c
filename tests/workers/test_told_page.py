"""Pages of workers, packed and added up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.telemetry.across import Across
from lasso_trio.workers import told_page
from lasso_trio.workers.told_page import (
    Page,
    Spread,
    Told,
    ToldFamily,
    Whole,
    departed,
    folded,
    of_worker,
    packed,
    summed,
    total,
    unpacked,
    unpacked_whole,
)


def family(value: Told, across: Across = Across.SUM, kind: str = "counter", name: str = "x_total") -> ToldFamily:
    return ToldFamily(name, kind, ("chain",), "Help.", across, [(("eth",), value)])


def value(page: Page, name: str = "x_total", *labels: str) -> Told | None:
    rows = {row: told for its in page if its.name == name for row, told in its.rows}
    return rows.get(labels or ("eth",))


def gauge(told: float, across: Across) -> Page:
    return [family(told, across, "gauge", "g")]


def test_counters_are_added_by_labels_and_gauges_by_their_rule() -> None:
    pages = {
        1: [family(3.0), *gauge(5, Across.MOST)],
        0: [family(4.0), *gauge(7, Across.MOST), family(1.0, name="only_total")],
    }
    whole = total({n: packed(page) for n, page in pages.items()}, (), keeper=1)
    assert (value(whole), value(whole, "g"), value(whole, "only_total")) == (7, 7, 1)
    assert value(summed([gauge(5, Across.LEAST), gauge(7, Across.LEAST)]), "g") == 5
    assert value(summed([gauge(5, Across.SUM), gauge(7, Across.SUM)]), "g") == 12


def test_the_keeping_workers_value_holds_and_anothers_where_it_has_none() -> None:
    pages = {0: packed(gauge(1, Across.KEEPER)), 1: packed(gauge(2, Across.KEEPER))}
    assert value(total(pages, (), keeper=1), "g") == 2
    assert value(total({**pages, 1: packed([])}, (), keeper=1), "g") == 1
    assert value(total(pages, (), keeper=None), "g") == 1


def test_what_is_each_workers_own_says_whose_it_is() -> None:
    whole = total({n: packed([family(n + 1.0, Across.EACH)]) for n in (0, 1)}, (), keeper=0)
    assert whole[0].labels == ("chain", "worker")
    assert (value(whole, "x_total", "eth", "0"), value(whole, "x_total", "eth", "1")) == (1, 2)
    assert of_worker(whole, "9") == whole


def test_distributions_are_added_bucket_by_bucket() -> None:
    one, other = Spread((0.1, 1.0), (1, 2, 3), 4.5), Spread((0.1, 1.0), (10, 0, 1), 2.0)
    assert value(summed([[family(one)], [family(other)]])) == Spread((0.1, 1.0), (11, 2, 4), 6.5)
    assert value(summed([[family(one)], [family(Spread((0.2,), (1, 1), 1.0))], [family(2.0)]])) == one


def test_a_family_of_other_labels_is_left_out() -> None:
    stranger = ToldFamily("x_total", "counter", (), "Help.", Across.SUM, [((), 5.0)])
    assert value(summed([[family(1.0)], [stranger]])) == 1


def test_of_workers_that_are_gone_the_counters_stay_and_the_gauges_do_not() -> None:
    page = packed([family(3.0), *gauge(9, Across.SUM), family(2.0, Across.EACH, name="own_total")])
    gone = folded([departed(page, 1), departed(page, 1)])
    whole = total({0: packed([family(1.0), *gauge(1, Across.SUM)])}, [gone], keeper=0)
    assert (value(whole), value(whole, "g"), value(whole, "own_total", "eth", "1")) == (7, 1, 4)


@given(st.lists(st.lists(st.integers(0, 1000), min_size=1, max_size=5), min_size=1, max_size=5))
def test_no_total_falls_when_workers_leave_one_after_the_other(lives: list[list[int]]) -> None:
    """Each life counts up from nothing; its last page is folded in, and the sum is that of all last pages."""
    gone: list[bytes] = []
    told = 0.0
    for life in lives:
        for count in sorted(life):
            now = value(total({0: packed([family(float(count))])}, gone, 0))
            assert isinstance(now, float)
            assert now >= told
            told = now
        gone = [folded([*gone, departed(packed([family(float(max(life)))]), 0)])]
    assert told == sum(map(max, lives))


def test_what_is_packed_comes_out_as_it_was() -> None:
    page = [family(1.5), family(Spread((0.1,), (1, 2), 0.5), name="h")]
    assert unpacked(packed(page)) == page
    assert unpacked_whole(packed(Whole(page, [], 1.0, 2))) == Whole(page, [], 1.0, 2)


def test_others_may_run_between_a_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = list[float]()
    monkeypatch.setattr(told_page.time, "sleep", pauses.append)
    assert list(told_page.paced(range(100))) == list(range(100))
    assert len(pauses) == 100 // told_page.AT_ONCE
