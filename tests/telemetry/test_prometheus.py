"""The page: what prometheus-client itself reads out of it, in both formats."""

from __future__ import annotations

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from lasso_trio.telemetry.prometheus import (
    OPENMETRICS,
    ROWS_AT_ONCE,
    TEXT,
    Distribution,
    Table,
    content_type,
    counter,
    gauge,
    histogram,
    written,
)

CALLS = counter("lasso_calls_total", "chain", "Calls.")
DEPTH = gauge("lasso_depth", "", "Depth.")
TIMES = histogram("lasso_times_seconds", "chain", "Times.")


def samples(table: Table, kind: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    read = read_openmetrics if kind == OPENMETRICS else read_text
    families = list(read(b"".join(written(table, kind)).decode()))
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


@pytest.mark.parametrize("kind", [TEXT, OPENMETRICS])
def test_what_was_added_is_read_back(kind: str) -> None:
    table = Table()
    table.add(CALLS, 7, "ethereum")
    table.add(CALLS, 8, 'a "b" \\c\nd')
    table.add(DEPTH, -0.5)
    found = samples(table, kind)
    assert found["lasso_calls_total", (("chain", "ethereum"),)] == 7
    assert found["lasso_calls_total", (("chain", 'a "b" \\c\nd'),)] == 8
    assert found["lasso_depth", ()] == -0.5


@pytest.mark.parametrize("kind", [TEXT, OPENMETRICS])
def test_a_distribution_becomes_cumulative_buckets_with_count_and_sum(kind: str) -> None:
    table = Table()
    table.add(TIMES, lambda: Distribution((0.5, 1.0), [3, 0, 2], 4.25), "base")
    found = samples(table, kind)
    name, chain = "lasso_times_seconds", ("chain", "base")
    buckets = [found[f"{name}_bucket", (chain, ("le", le))] for le in ("0.5", "1.0", "+Inf")]
    assert buckets == [3, 3, 5]
    assert (found[f"{name}_count", (chain,)], found[f"{name}_sum", (chain,)]) == (5, 4.25)


def test_the_process_own_figures_are_on_the_page() -> None:
    found = samples(Table(), TEXT)
    assert found["process_resident_memory_bytes", ()] > 1_000_000
    assert found["process_open_fds", ()] >= 3
    assert found["process_cpu_seconds_total", ()] > 0


def test_the_interpreter_is_let_go_after_every_few_rows() -> None:
    table, pauses = Table(), 0
    for number in range(10 * ROWS_AT_ONCE):
        table.add(CALLS, number, str(number))

    def pause() -> None:
        nonlocal pauses
        pauses += 1

    assert all(written(table, TEXT, pause))
    assert pauses == 10


def test_the_table_is_used_up_as_it_is_written() -> None:
    table = Table()
    for number in range(3 * ROWS_AT_ONCE):
        table.add(CALLS, number, str(number))
    page, held = written(table, TEXT), table.rows[CALLS]
    left = [len(held) for piece in page if b"# HELP lasso_calls" not in piece]
    assert left[:3] == [2 * ROWS_AT_ONCE, ROWS_AT_ONCE, 0]
    assert not table.rows


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/plain;version=0.0.4", TEXT),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", OPENMETRICS),
    ],
)
def test_openmetrics_is_for_those_who_name_it(accept: str, kind: str) -> None:
    assert content_type(accept) == kind


def test_the_table_tells_what_it_holds() -> None:
    table = Table()
    table.add(CALLS, 7, "base")
    assert (table.value(CALLS, "base"), table.value(CALLS, "eth"), table.value(DEPTH)) == (7, None, None)


def test_wrong_labels_and_names_are_seen_at_once() -> None:
    with pytest.raises(AssertionError):
        Table().add(CALLS, 1)
    with pytest.raises(AssertionError):
        counter("lasso_calls", "", "Calls.")
