from __future__ import annotations

from typing import Any

import attrs
import trio

from lasso_trio.dashboard import activity as module
from lasso_trio.dashboard.activity import KEPT, RACES_KEPT, Activity, Tap, error_of
from lasso_trio.jsonrpc.reply import ErrorObject, Reply
from lasso_trio.jsonrpc.request import Request
from lasso_trio.providers.catalogue import VERDICTS, Category
from lasso_trio.routing.outcome import Outcome, Raced
from lasso_trio.routing.service import Served
from lasso_trio.server.exchange import Exchange
from tests.dashboard.boards import KEY, board_of, exchange_of, refusal, request_of, served_by


@attrs.define(eq=False)
class Door:
    told: int = 0
    record: Any = None

    def __attrs_post_init__(self) -> None:
        self.record = self._count

    def _count(self, exchange: Exchange, request: Request, served: Served, ended: float) -> None:
        self.told += 1


async def test_while_nobody_looks_the_doors_records_are_as_they_were() -> None:
    http, ws, activity = Door(), Door(), Activity()
    before = http.record, ws.record
    activity.watch([(http, "http"), (ws, "ws")])
    activity.watch([(http, "http")])
    assert (type(http.record), type(ws.record)) == (Tap, Tap)
    activity.leave()
    assert (http.record, ws.record) == before
    assert not activity.watching


async def test_a_call_is_told_on_and_seen() -> None:
    board, door, activity = board_of(), Door(), Activity()
    activity.watch([(door, "ws")])
    now = trio.current_time()
    served = served_by(board, hedges=1, hedge_won=True, retries=2)
    door.record(exchange_of(board, now - 0.5), request_of("eth_call"), served, now)
    assert door.told == 1
    (row,) = activity.rows("public", 10)
    assert row | {"at": ""} == {
        "seq": 1,
        "at": "",
        "chain": "eth",
        "method": "eth_call",
        "strategy": "fastest",
        "provider": "alpha",
        "transport": "http",
        "client": "ws",
        "reason": "fastest",
        "ms": 500.0,
        "retries": 2,
        "hedged": True,
        "hedge_won": True,
        "cache": "",
        "request_id": "r1",
        "error": None,
    }
    assert activity.last("public", "eth") == row
    assert activity.last("public", "other") is None
    assert activity.rows("another", 10) == []
    assert (activity.raced.count, activity.plain.count) == (1, 0)


async def test_of_a_flood_some_are_kept_and_failures_besides() -> None:
    board, activity = board_of(), Activity()
    exchange, request = exchange_of(board, 9.9), request_of()
    good, bad = served_by(board), served_by(board, None, error=refusal())
    for _ in range(100):
        activity.take(exchange, request, good, 10.0, "http")
        activity.take(exchange, request, bad, 10.5, "http")
    rows = activity.rows("public", 1000)
    assert len(rows) == 2 * module.PER_SECOND
    assert sum(row["error"] is not None for row in rows) == module.PER_SECOND
    assert activity.rate(11.0) == {"seen": 200, "kept": 2 * module.PER_SECOND}
    assert activity.rate(12.0) == {"seen": 0, "kept": 0}
    activity.take(exchange, request, good, 12.1, "http")
    assert activity.rate(99.0) == {"seen": 0, "kept": 0}
    assert activity.seen == 201


async def test_memory_is_bounded() -> None:
    board, activity = board_of(), Activity()
    for second in range(300):
        activity.take(exchange_of(board, 0.0), request_of(), served_by(board), float(second), "http")
    assert len(activity.calls) == module.KEPT


async def test_what_clients_and_upstreams_wrote_is_cut_and_scrubbed() -> None:
    board, activity = board_of(), Activity()
    error = refusal(f"see https://alpha.example/v2/{KEY} " + "x" * 1000)
    exchange = exchange_of(board, 0.0, "\ud800" + "i" * 500)
    activity.take(exchange, request_of("eth_" + "m" * 500), served_by(board, None, error=error), 0.1, "http")
    (row,) = activity.rows("public", 10)
    assert KEY not in str(row)
    assert len(row["error"]["message"]) < 300
    assert len(row["method"]) == len(activity.calls[-1].method) == 128  # what is kept is cut, not only what is shown
    assert row["request_id"].startswith("sha256:")


async def test_errors_of_ours_and_of_upstreams_are_told_with_their_category() -> None:
    board = board_of()
    assert error_of(served_by(board, error=refusal("mine")).outcome) == (-32000, "server_error", "mine")
    theirs = Reply(b"", b"", ErrorObject(3, "execution reverted"), 0)
    outcome = Outcome(reply=theirs, verdict=VERDICTS[Category.SERVER_ERROR])
    assert error_of(outcome) == (3, VERDICTS[Category.SERVER_ERROR].category, "execution reverted")
    assert error_of(Outcome(reply=theirs)) == (3, "unknown_error", "execution reverted")


RACERS = (Raced("alpha", "http", False, 0.001, 0.049, "lost"), Raced("beta", "http", True, 0.031, 0.019, "won"))


async def test_races_are_kept_apart_from_the_flood_with_who_lost_them() -> None:
    board, now = board_of(), trio.current_time()
    activity = board.activity
    raced = served_by(board, "beta:http", hedges=1, hedge_won=True, raced=RACERS)
    activity.take(exchange_of(board, now), request_of("eth_call"), raced, now + 0.05, "http")
    for _ in range(3 * KEPT):
        activity.take(exchange_of(board, now), request_of(), served_by(board), now, "http")
    (race,) = activity.recent_races("public")
    assert (race["method"], race["ok"], race["hedge_won"], race["ms"]) == ("eth_call", True, True, 50.0)
    lanes = [(lane["provider"], lane["kind"], lane["end"], lane["took_ms"]) for lane in race["timeline"]]
    assert lanes == [("alpha", "first", "lost", 49.0), ("beta", "hedge", "won", 19.0)]
    assert activity.recent_races("other") == []
    for _ in range(2 * RACES_KEPT):
        activity.take(exchange_of(board, now), request_of(), raced, now, "http")
    assert len(activity.recent_races("public")) == RACES_KEPT
