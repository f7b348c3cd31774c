"""A node dies, or falls silent, in the middle of a load: no client notices."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import trio
from web3 import Web3

from tests.e2e.anvil import Anvil
from tests.e2e.conftest import Lived, Serve
from tests.e2e.history import OWNER, call_data, signed
from tests.e2e.lasso import Lasso
from tests.e2e.load import Load, questions

STRATEGIES = ("fastest", "load-balanced", "priority")
Say = Callable[[str], None]

LATELY = 200
LOG_S = 30.0
"""For a call's line to come into the log, which is written from time to time."""


def busiest(lasso: Lasso) -> str:
    """The provider that has answered most calls lately: one that did before may be the second choice by now."""
    lately = lasso.completed()[-LATELY:]
    answered = Counter(str(record["routing"]["selected_provider"]["id"]) for record in lately)
    return answered.most_common(1)[0][0]


async def loaded(lasso: Lasso, lived: Lived, strategy: str, disturb: Callable[[], object]) -> str:
    """Run a load and disturb it at a third; no call may fail. Says how it went."""
    asked = questions(lived.fleet.nodes[-1], lived.history)
    load = Load(lasso.port, lasso.path(strategy), asked, disturb=disturb, disturb_at=1_000)
    await load.run()
    assert load.wrong == []
    assert load.right == load.calls
    failed_over, raced = await disturbed(lasso, load.calls)
    assert failed_over + raced > 0, "nothing was disturbed"
    how = f"{failed_over} failed over, {raced} raced"
    return f"{strategy}: {load.right} right, {how}, the slowest took {load.slowest_s:.2f} s"


async def disturbed(lasso: Lasso, calls: int) -> tuple[int, int]:
    """How many failed over, and how many raced. They take longest, so their lines may be the last in the log."""
    with trio.move_on_after(LOG_S):
        while sum(_disturbed(told := lasso.completed())) == 0 and len(told) < calls:  # noqa: ASYNC110 (its log)
            await trio.sleep(0.05)
    return _disturbed(lasso.completed())


def _disturbed(completed: list[dict[str, Any]]) -> tuple[int, int]:
    routings = [record["routing"] for record in completed]
    return sum(each["retries"] > 0 for each in routings), sum(each.get("hedges", 0) > 0 for each in routings)


def kill_at_work(node: Anvil) -> None:
    """Kill it with calls under way: a node this fast has none in most moments, so it is stunned first."""
    node.pause()
    time.sleep(0.2)
    node.kill()


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_killing_the_busiest_node_costs_no_call(fresh: Lived, serve: Serve, strategy: str, say: Say) -> None:
    lasso = serve(fresh.fleet.urls)
    say("SIGKILL, " + await loaded(lasso, fresh, strategy, lambda: kill_at_work(fresh.fleet[busiest(lasso)])))


@pytest.mark.parametrize("strategy", STRATEGIES)
async def test_a_node_that_falls_silent_costs_no_call(fresh: Lived, serve: Serve, strategy: str, say: Say) -> None:
    lasso = serve(fresh.fleet.urls)
    say("SIGSTOP, " + await loaded(lasso, fresh, strategy, lambda: fresh.fleet[busiest(lasso)].pause()))


def test_a_transaction_that_a_node_took_into_its_death_is_with_the_others(fresh: Lived, serve: Serve) -> None:
    """Nobody knows whether the dead node took it; the same transaction can be given to any other."""
    lasso, fleet = serve(fresh.fleet.urls), fresh.fleet
    nonce = int(fleet.first.call("eth_getTransactionCount", OWNER.address, "latest"), 16)
    raw = signed(nonce, call_data("pay", "once"), fresh.history.till)
    ask = f'{{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["{raw}"]}}'
    fleet.first.pause()
    told = json.loads(lasso.ask(ask, lasso.path("priority")))
    assert told["result"] == Web3.to_hex(Web3.keccak(hexstr=raw))
    assert comes_to_have_it(fleet.nodes[1])
    time.sleep(0.5)  # until it is in the socket of a node that does not read
    fleet.first.kill()
    assert comes_to_have_it(fleet.nodes[2]), "nobody was asked in the dead node's place"


def comes_to_have_it(node: Anvil) -> bool:
    """The one transaction that waits there. Answers may come before it can be seen."""
    end = time.monotonic() + 30
    while node.call("txpool_status")["pending"] != "0x1":
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def test_when_all_are_dead_the_client_is_told_and_served_again_once_they_are_back(fresh: Lived, serve: Serve) -> None:
    lasso, fleet = serve(fresh.fleet.urls), fresh.fleet
    ask = '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'
    said = lasso.ask(ask)
    for node in fleet.nodes:
        node.kill()
    assert json.loads(lasso.ask(ask))["error"]["code"] < 0
    for node in fleet.nodes:
        fleet.restart(node)
    assert lasso.ask(ask) == said
