from __future__ import annotations

import pytest

from lasso_trio.dashboard import collector as module
from lasso_trio.dashboard.collector import Collector, Figures, channel_key
from lasso_trio.dashboard.series import Range
from lasso_trio.providers.catalogue import VERDICTS, Category
from tests.dashboard.boards import NOW, WALL, answered, board_of, channel, collect, directory_of, routed_of


async def test_a_round_files_what_the_counters_grew_by() -> None:
    board = board_of()
    answered(board, "alpha:http", 10, 0.02)
    collect(board)
    answered(board, "alpha:http", 4, 0.2, now=NOW + 5)
    routed_of(board).counts.errors += 1
    collect(board, NOW + 5, WALL + 5)
    line = board.collector.chains["public", "eth"].points(Range.MINUTES, WALL + 10)
    assert [p.calls for p in line[-2:]] == [10, 4]
    assert [p.errors for p in line[-2:]] == [0, 1]
    assert line[-1].seconds == pytest.approx(0.8)
    assert sum(line[-1].bins.values()) == 4
    own = board.collector.channels["1:alpha:0", "http"].points(Range.MINUTES, WALL + 10)
    assert [p.calls for p in own[-2:]] == [10, 4]
    assert ("1:alpha:0", "http", "eth_call") in board.collector.methods
    assert ("1:beta:0", "http") not in board.collector.channels


async def test_failures_count_as_calls_and_as_errors() -> None:
    board = board_of()
    answered(board, "alpha:http", 1, 0.02)
    channel(board, "alpha:http").failed("eth_call", VERDICTS[Category.SERVER_ERROR], 0.1, NOW)
    collect(board)
    (point,) = [p for p in board.collector.channels["1:alpha:0", "http"].points(Range.MINUTES, WALL + 5) if p.calls]
    assert (point.calls, point.errors, sum(point.bins.values())) == (2, 1, 1)


@pytest.mark.parametrize(("calls", "seconds"), [(2, 0.05), (7, 0.02)])
async def test_when_the_evidence_turned_the_calls_are_known_and_their_latencies_are_not(
    calls: int, seconds: float
) -> None:
    board = board_of()
    answered(board, "alpha:http", 5, 0.02)
    collect(board)
    later = NOW + 400  # everything has left the windows
    answered(board, "alpha:http", calls, seconds, now=later)
    collect(board, later, WALL + 400)
    point = board.collector.channels["1:alpha:0", "http"].points(Range.MINUTES, WALL + 405)[-1]
    assert (point.calls, dict(point.bins)) == (calls, {})


async def test_the_windows_are_of_recent_calls_only() -> None:
    board = board_of()
    answered(board, "alpha:http", 5, 0.02)
    collect(board)
    assert board.collector.window([channel(board, "alpha:http")]).latency.count == 5
    collect(board, NOW + 400, WALL + 400)
    assert board.collector.window([channel(board, "alpha:http")]).latency.count == 0
    assert Collector().window([channel(board, "alpha:http")]).latency.count == 0


async def test_lags_are_noted_where_they_are_known() -> None:
    board = board_of()
    for name, height in (("alpha", 1000), ("beta", 998)):
        routed_of(board).registry.instances[f"1:{name}:0"].head.tell(height, NOW, 12.0)
    collect(board)
    line = board.collector.channels["1:beta:0", "http"].points(Range.MINUTES, WALL + 5)
    assert line[-1].lag is not None


async def test_lines_of_methods_are_bounded_and_only_the_long_silent_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_METHODS", 2)
    board = board_of()
    for step, method in enumerate(("eth_a", "eth_b", "eth_c")):
        answered(board, "alpha:http", 1, 0.02, method, NOW + 5 * step)
        collect(board, NOW + 5 * step, WALL + 5 * step)
    assert [key[2] for key in board.collector.methods] == ["eth_a", "eth_b"]
    for method in ("eth_b", "eth_c"):
        later = module.SILENT_S + 7
        answered(board, "alpha:http", 1, 0.02, method, NOW + later)
        collect(board, NOW + later, WALL + later)
    assert [key[2] for key in board.collector.methods] == ["eth_b", "eth_c"]


async def test_a_channel_with_many_methods_is_looked_at_bit_by_bit() -> None:
    board = board_of()
    quiet = len(list(board.collector.round(board.directory(), NOW, WALL)))
    for n in range(3 * module.METHODS_AT_ONCE):
        answered(board, "alpha:http", 1, 0.02, f"eth_{n}")
    assert len(list(board.collector.round(board.directory(), NOW, WALL))) == quiet + 3


async def test_what_a_reload_took_away_is_forgotten() -> None:
    board = board_of()
    answered(board, "alpha:http", 1, 0.02)
    collect(board)
    other = directory_of("other")
    other.registry.instances.clear()
    for _ in board.collector.round(other, NOW, WALL):
        pass
    assert not board.collector.channels
    assert not board.collector.methods
    assert not board.collector.chains
    assert channel_key(channel(board, "alpha:http")) not in board.collector.windows


async def test_a_round_lets_others_run_after_each_channel_and_each_chain() -> None:
    board = board_of()
    groups = len({"alpha", "beta", "the chain", "the profile"})
    assert len(list(board.collector.round(board.directory(), NOW, WALL))) == 3 + 1 + groups


async def test_figures_are_those_of_the_last_round() -> None:
    board = board_of()
    both = [channel(board, "alpha:http"), channel(board, "beta:http")]
    assert board.collector.figures(both) == Figures()
    answered(board, "alpha:http", 3, 0.02)
    answered(board, "beta:http", 1, 0.2)
    collect(board)
    found = board.collector.figures([*both, *both])
    assert (found.answers, found.failures) == (4, 0)
    assert found.percentiles["p50_ms"] == pytest.approx(20, rel=0.03)
    assert found.percentiles["p99_ms"] == pytest.approx(200, rel=0.03)


async def test_failovers_are_told_together() -> None:
    board, told = board_of(), list[tuple[str, int]]()
    board.collector.on_failovers = lambda routed, count: told.append((routed.chain.key, count))
    routed_of(board).counts.failovers = 3
    collect(board)
    collect(board, NOW + 5, WALL + 5)
    assert told == [("eth", 3)]
