from __future__ import annotations

from random import Random

import msgspec
import trio

from lasso_trio.config.profile import Chain, Profile, Provider
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.dashboard.snapshot import snapshot
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.telemetry.node import Readiness
from tests.dashboard.boards import (
    KEY,
    answered,
    board_of,
    channel,
    collect,
    exchange_of,
    refusal,
    request_of,
    routed_of,
    served_by,
)


async def test_a_snapshot_has_everything_that_the_first_page_shows() -> None:
    board = board_of()
    now = trio.current_time()
    board.node.readiness = Readiness.READY
    answered(board, "alpha:http", 30, 0.02, now=now)
    routed_of(board).counts.errors = 3
    channel(board, "beta:http").cordon(out=True)
    collect(board, now)
    board.activity.take(exchange_of(board, now), request_of(), served_by(board), now, "http")
    board.issues.add("cooldown.begun", "warning", {"instance": "1:beta:0", "transport": "http", "seconds": 1})
    board.issues.add("cooldown.begun", "warning", {"instance": "1:foreign:0", "transport": "http", "seconds": 1})
    row = await snapshot(board, board.directory().default, 7)
    assert (row["tick"], row["profile"], row["node"], row["readiness"], row["uptime_s"]) == (
        7,
        "public",
        "n1",
        "ready",
        60,
    )
    head = row["headline"]
    assert (head["calls_total"], head["success_percent"], head["error_percent"]) == (30, 90.0, 10.0)
    assert (head["providers_healthy"], head["providers_total"], round(head["p95_ms"])) == (1, 2, 20)
    assert [p["status"] for p in row["chains"][0]["providers"]] == ["healthy", "cordoned"]
    assert [a["method"] for a in row["activity"]] == ["eth_call"]
    assert [i["instance"] for i in row["issues"]] == ["1:beta:0"]
    assert row["system"]["tasks"] > 0
    assert row["cluster"] is None


async def test_no_key_is_in_it_whatever_was_told() -> None:
    board = board_of()
    now = trio.current_time()
    error = refusal(f"https://alpha.example/v2/{KEY} refused ?apikey={KEY}")
    board.activity.take(exchange_of(board, now), request_of(), served_by(board, None, error=error), now, "http")
    board.issues.add("child.crashed", "error", {"child": "x", "error": f"OSError: wss://alpha.example/{KEY}"})
    text = msgspec.json.encode(await snapshot(board, board.directory().default, 1))
    assert KEY.encode() not in text
    assert b"\n" not in text


async def test_without_calls_it_is_whole_too() -> None:
    board = board_of(vm_metrics=False)
    row = await snapshot(board, board.directory().default, 1)
    assert (row["headline"]["success_percent"], row["headline"]["p50_ms"], row["system"]) == (None, None, None)


async def test_others_may_run_between_two_chains(nursery: trio.Nursery) -> None:
    provider = Provider("alpha", "Alpha", "1:alpha:0", SecretUrl("https://alpha.example/"))
    chains = tuple(Chain(f"c{n}", n, f"C{n}", (provider,)) for n in range(1, 11))
    profiles = ProfileSet.of([Profile("public", "Public", chains)])
    board, turns = board_of(directory=Directory.of(profiles, Registry(lambda _: object(), Random(1)))), 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    nursery.start_soon(others)
    row = await snapshot(board, board.directory().default, 1)
    assert [chain["chain"] for chain in row["chains"]] == [f"c{n}" for n in range(1, 11)]
    assert turns >= 10
