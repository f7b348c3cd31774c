"""Providers that are wrong, silent, behind, broken or busy: calls keep their answers, and the API says who and why.

Real nodes and a real nginx, with probes twice a second. Answers are compared with a good node's to the last byte; what
the proxy knows is read where operators read it, in `/api/metrics/:chain` and with `?explain=1`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import trio

from tests.e2e import devnet, nginx, toolbox
from tests.e2e.anvil import Anvil
from tests.e2e.conftest import Lived, Serve
from tests.e2e.lasso import Lasso
from tests.e2e.load import Load, Question, questions

OTHER_CHAIN: Final = 1
BEHIND: Final = 4
CHAIN: Final = {
    "monitoring": {"probe_interval_ms": 500},
    "selection": {"max_lag_blocks": 2},
    # a silent node is noticed by calls, long before its probes time out
    "routing": {"method_overrides": {"eth_blockNumber": {"timeout_ms": 1500}}},
}
PLAN_S: Final = 0.3
"""What a plan is made from is at most that old."""
TRIALS_S: Final = 20.0
"""Two probes that close a half-open breaker, two seconds apart, with room for a slow machine."""
LONG_S: Final = 60.0

NEWEST: Final = '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'

Row = dict[str, Any]


def rows(lasso: Lasso) -> dict[str, Row]:
    """The metrics' providers by id."""
    status, body = lasso.get("/api/metrics/anvil")
    assert status == 200
    return {row["id"]: row for row in body["providers"]}


def breaker(row: Row) -> Row:
    found: Row = row["channels"][0]["circuit_breaker"]
    return found


async def shown(lasso: Lasso, provider: str, is_so: Callable[[Row], bool], within_s: float = LONG_S) -> Row:
    """The provider's row as soon as it `is_so`."""
    end = trio.current_time() + within_s
    while not is_so(row := rows(lasso)[provider]):
        assert trio.current_time() < end, row
        await trio.sleep(0.05)
    return row


def is_open(row: Row) -> bool:
    return bool(breaker(row)["state"] == "open")


def is_closed(row: Row) -> bool:
    return bool(breaker(row)["state"] == "closed")


def explained(lasso: Lasso) -> Row:
    """What would be done with a call for the newest block's number, and why."""
    body = lasso.ask(NEWEST, f"{lasso.path('priority')}?explain=1")
    found: Row = json.loads(body)["result"]
    return found


def exclusions(lasso: Lasso) -> dict[str, str]:
    """Why who is not a candidate, by provider."""
    return {row["provider"]: row["reason"] for row in explained(lasso)["excluded"]}


def asked(lived: Lived, good: Anvil) -> list[Question]:
    """The first is the number of the newest block."""
    return questions(good, lived.history)


async def all_right(lasso: Lasso, wanted: list[Question], strategy: str = "priority", calls: int = 64) -> Counter[str]:
    """Every call has a good node's answer. Returns who answered how many."""
    before = {id_: row["total_calls"] - row["failures"] - row["rate_limited"] for id_, row in rows(lasso).items()}
    load = Load(lasso.port, lasso.path(strategy), wanted, calls, clients=4)
    await load.run()
    assert load.wrong == []
    after = {id_: row["total_calls"] - row["failures"] - row["rate_limited"] for id_, row in rows(lasso).items()}
    return Counter({id_: after[id_] - before[id_] for id_ in after})


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Anvil]:
    """A node of another chain, higher than ours."""
    node = Anvil("stranger", tmp_path, chain_id=OTHER_CHAIN)
    try:
        node.start()
        node.call("anvil_mine", hex(40))
        yield node
    finally:
        node.kill()


@pytest.fixture
def moody(fresh: Lived, tmp_path: Path) -> Iterator[str]:
    """The URL of the fleet's first node behind an nginx. `broken` and `busy` in `tmp_path` are its moods."""
    port = toolbox.free_port()
    with nginx.running(tmp_path / "nginx", nginx.moody_for(fresh.fleet.first.port, port, tmp_path), port):
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("strategy", ["priority", "fastest", "load-balanced"])
async def test_a_node_of_another_chain_never_serves(fresh: Lived, stranger: Anvil, serve: Serve, strategy: str) -> None:
    lasso = serve({"stranger": stranger.url, **fresh.fleet.urls}, chain=CHAIN)
    answered = await all_right(lasso, asked(fresh, fresh.fleet.first), strategy)
    pinned = lasso.ask(NEWEST, "/rpc/provider/stranger/anvil")
    row = rows(lasso)["stranger"]
    assert answered["stranger"] == row["total_calls"] == 0
    assert "error" in json.loads(pinned)
    assert (row["head"]["chain"], row["head"]["wrong_chain_id"]) == ("wrong", OTHER_CHAIN)
    assert (breaker(row)["state"], breaker(row)["reason"], breaker(row)["quarantined"]) == ("open", "wrong_chain", True)
    assert exclusions(lasso) == {"stranger": "wrong_chain"}


async def test_a_node_that_falls_silent_is_left_alone_until_it_speaks(fresh: Lived, serve: Serve) -> None:
    lasso, (silent, good, _) = serve(fresh.fleet.urls, chain=CHAIN), fresh.fleet.nodes
    newest = asked(fresh, good)[:1]
    silent.pause()
    await all_right(lasso, newest)
    assert breaker(await shown(lasso, silent.name, is_open))["reason"] == "timeout"
    await shown(lasso, silent.name, lambda row: row["probes"]["consecutive_failures"] > 0)
    assert exclusions(lasso) == {silent.name: "breaker_open"}
    assert (await all_right(lasso, newest))[silent.name] == 0
    fresh.fleet.resume(silent)
    await shown(lasso, silent.name, is_closed)
    assert (await all_right(lasso, newest))[silent.name] > 0


async def test_a_node_that_is_rolled_back_serves_no_tip_until_it_has_caught_up(fresh: Lived, serve: Serve) -> None:
    lasso, (late, good, _) = serve(fresh.fleet.urls, chain=CHAIN), fresh.fleet.nodes
    wanted = asked(fresh, good)
    fresh.fleet.roll_back(late, BEHIND)
    await shown(lasso, late.name, lambda row: row["head"]["lag"] == -BEHIND)
    await trio.sleep(PLAN_S)
    assert exclusions(lasso) == {late.name: "lagging"}
    assert (await all_right(lasso, wanted))[late.name] == 0
    fresh.fleet.catch_up(late)
    await shown(lasso, late.name, lambda row: row["head"]["lag"] == 0)
    await trio.sleep(PLAN_S)
    assert (await all_right(lasso, wanted))[late.name] > 0


async def test_a_gateways_html_page_opens_the_breaker_and_a_busy_gateway_only_waits(
    fresh: Lived, moody: str, serve: Serve, tmp_path: Path
) -> None:
    good = fresh.fleet.nodes[1]
    lasso = serve({"moody": moody, good.name: good.url}, chain=CHAIN)
    wanted = asked(fresh, good)
    (tmp_path / "broken").touch()
    await all_right(lasso, wanted)
    assert breaker(await shown(lasso, "moody", is_open))["reason"] == "server_error"
    assert exclusions(lasso) == {"moody": "breaker_open"}
    await shown(lasso, "moody", lambda row: row["probes"]["consecutive_failures"] > 0)
    (tmp_path / "broken").unlink()
    opened = breaker(await shown(lasso, "moody", is_closed))["opened_total"]
    (tmp_path / "busy").touch()
    await all_right(lasso, wanted, calls=16)
    row = rows(lasso)["moody"]
    assert 0 < row["channels"][0]["cooldown_ms"] <= nginx.BUSY_S * 1000
    assert (breaker(row)["state"], breaker(row)["opened_total"]) == ("closed", opened)
    assert [row["provider"] for row in explained(lasso)["candidates"]] == [good.name, "moody"]
    (tmp_path / "busy").unlink()
    await shown(lasso, "moody", lambda row: row["channels"][0]["cooldown_ms"] == 0)
    assert (await all_right(lasso, wanted))["moody"] > 0


async def test_a_killed_node_serves_again_within_its_back_off(fresh: Lived, serve: Serve) -> None:
    lasso, (dead, good, _) = serve(fresh.fleet.urls, chain=CHAIN), fresh.fleet.nodes
    wanted = asked(fresh, good)
    dead.kill()
    await all_right(lasso, wanted)
    assert breaker(await shown(lasso, dead.name, is_open))["reason"] == "network_error"
    await shown(lasso, dead.name, lambda row: row["probes"]["consecutive_failures"] > 0)
    fresh.fleet.restart(dead)
    back_off_s = rows(lasso)[dead.name]["probes"]["backoff_ms"] / 1000
    await shown(lasso, dead.name, is_closed, back_off_s + TRIALS_S)
    assert (await all_right(lasso, wanted))[dead.name] > 0


async def test_with_all_of_these_at_once_calls_keep_their_answers(
    fresh: Lived, stranger: Anvil, moody: str, serve: Serve, tmp_path: Path
) -> None:
    late, silent, good = fresh.fleet.nodes
    providers = {"stranger": stranger.url, "moody": moody, silent.name: silent.url, late.name: late.url}
    lasso = serve({**providers, good.name: good.url}, chain=CHAIN)
    newest = asked(fresh, good)[:1]
    fresh.fleet.roll_back(late, BEHIND)
    silent.pause()
    (tmp_path / "broken").touch()
    await shown(lasso, late.name, lambda row: row["head"]["lag"] == -BEHIND)
    await trio.sleep(PLAN_S)
    for strategy in ("priority", "load-balanced", "fastest"):
        answered = await all_right(lasso, newest, strategy)
        assert set(+answered) == {good.name}
    known = rows(lasso)
    reasons = {name: breaker(known[name])["reason"] for name in known}
    assert reasons == {
        "stranger": "wrong_chain",
        "moody": "server_error",
        late.name: None,
        silent.name: "timeout",
        good.name: None,
    }
    assert known[late.name]["head"]["lag"] == -BEHIND
    assert exclusions(lasso) == {
        "stranger": "wrong_chain",
        "moody": "breaker_open",
        silent.name: "breaker_open",
        late.name: "lagging",
    }
    assert explained(lasso)["chosen_first"]["label"].startswith(good.name)


def test_logs_of_more_blocks_than_a_provider_takes_are_the_whole_answer(serve: Serve) -> None:
    wide = '{"jsonrpc":"2.0","id":1,"method":"eth_getLogs","params":[{"fromBlock":"0x64","toBlock":"0x5dc"}]}'
    with devnet.running(2_000, {"short": 100, "middle": 300, "whole": 10_000}) as urls:
        said = {name: ask(url, wide) for name, url in urls.items()}
        whole = said.pop("whole")
        assert all("error" in json.loads(refusal) for refusal in said.values())
        assert serve({name: urls[name] for name in said}, chain=CHAIN).ask(wide) == whole
    assert len(json.loads(whole)["result"]) > 1_000


def ask(url: str, body: str) -> bytes:
    """The answer of whoever is at `url`."""
    return Anvil("asked", Path(), port=int(url.rsplit(":", 1)[1])).ask(body)
