from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from lasso_trio.dashboard import streams_view as module
from lasso_trio.dashboard.board import Board
from lasso_trio.dashboard.streams_view import stream_sums, streams_page, streams_summary
from lasso_trio.server.whole import Alone
from lasso_trio.subscriptions.hub import Hub
from lasso_trio.subscriptions.slices import Slices
from lasso_trio.telemetry.usage import StreamFigures, Usage
from tests.dashboard.boards import board_of


def stream(key: str, members: int = 2) -> Any:  # noqa: ANN401
    return SimpleNamespace(
        key=key,
        fanout=SimpleNamespace(members=members),
        counts=SimpleNamespace(filled=3, gaps=1),
        feeds=SimpleNamespace(failovers=4),
    )


class Puppet(Hub):
    def view(self, chain: Any) -> list[dict[str, Any]]:  # noqa: ANN401
        feed = {"instance": "1:alpha:0", "open": True, "score_s": 0.1}
        return [{"key": s.key, "members": s.fanout.members, "feeds": [feed]} for s in self.streams.values()]


def with_streams(board: Board, *wishes: str) -> Board:
    board.hub = Puppet(lambda _: None, lambda *_: ())  # type: ignore[arg-type,return-value]
    for n, wish in enumerate(wishes):
        board.hub.streams["public", "eth", wish] = stream(f"public eth {wish}", n)
    board.hub.streams["other", "eth", "x"] = stream("other eth x")
    return board


async def test_sums_are_of_a_profile_or_of_one_of_its_chains() -> None:
    board = with_streams(board_of(), '["newHeads"]', '["logs",{}]')
    assert stream_sums(board, ("public",)) == {"streams": 2, "subscribers": 1, "filled": 6, "gaps": 2, "failovers": 8}
    assert stream_sums(board, ("public", "other"))["streams"] == 0
    assert stream_sums(board_of(), ("public",))["streams"] == 0


async def test_the_summary_tells_of_clients_and_of_the_slow_ones() -> None:
    board = board_of()
    board.clients = lambda: {"open": 5, "overflows": 1, "write_timeouts": 2}
    row = streams_summary(board, board.directory().default)
    assert (row["clients"], row["slow_clients"], row["streams"]) == (5, 3, 0)
    assert streams_page(board, board.directory().default)["clients"]["slow_closed_total"] == 3
    assert streams_page(board, board.directory().default)["chains"] == [{"chain": "eth", "streams": [], "left_out": 0}]


async def test_a_stream_is_named_by_what_its_clients_asked_for() -> None:
    board = with_streams(board_of(), '["newHeads"]', '["logs",{"address":"0xab"}]')
    (chain,) = streams_page(board, board.directory().default)["chains"]
    assert [(row["kind"], row["members"]) for row in chain["streams"]] == [("x", 2), ("logs", 1), ("newHeads", 0)]
    assert chain["streams"][1]["key"] == '["logs",{"address":"0xab"}]'
    assert chain["streams"][1]["feeds"][0]["provider"] == "alpha"


async def test_how_late_the_last_of_a_large_crowd_hears_an_event_is_shown() -> None:
    board = with_streams(board_of())
    page = streams_page(board, board.directory().default)
    assert page["fanout"] == {"waiting": 0, "events": 0, "p50_ms": None, "p99_ms": None}
    assert board.hub is not None
    board.hub.slices = Slices()
    for seconds in (0.01, 0.01, 0.2):
        board.hub.slices.lags.add(seconds)
    fanout = streams_page(board, board.directory().default)["fanout"]
    assert (fanout["events"], round(fanout["p50_ms"]), round(fanout["p99_ms"], -1)) == (3, 10, 200)


async def test_of_very_many_streams_those_with_most_subscribers_are_shown(monkeypatch: Any) -> None:  # noqa: ANN401
    monkeypatch.setattr(module, "MOST_STREAMS", 2)
    board = with_streams(board_of(), "a", "b", "c", "d")
    (chain,) = streams_page(board, board.directory().default)["chains"]
    assert ([row["members"] for row in chain["streams"]], chain["left_out"]) == ([3, 2], 3)


class TwoWorkers(Alone):
    def usages(self) -> dict[int, Usage]:
        heads, logs = (StreamFigures("public", "eth", mark, 2, 3, 1, 4) for mark in (1, 2))
        return {0: Usage(1, clients={"open": 3}, streams=[heads, logs]), 1: Usage(2, clients={}, streams=[heads])}


async def test_of_several_workers_a_stream_is_one_and_its_subscribers_are_added() -> None:
    board = with_streams(board_of(), '["newHeads"]')
    board.clients, board.whole = (lambda: {"open": 1, "overflows": 0}), TwoWorkers(board.directory)
    assert stream_sums(board, ("public", "eth")) == {
        "streams": 2, "subscribers": 6, "filled": 9, "gaps": 3, "failovers": 12
    }  # fmt: skip
    assert stream_sums(board, ("other",))["streams"] == 0
    assert streams_summary(board, board.directory().default)["clients"] == 3
    assert streams_page(board, board.directory().default)["clients"] == {
        "open": 3, "overflows": 0, "slow_closed_total": 0
    }  # fmt: skip
