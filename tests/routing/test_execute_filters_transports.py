"""Filters of nodes that have both transports, at workers of which one alone has the sockets."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
import trio.testing

from lasso_trio.config.profile import Strategy, Transport
from lasso_trio.jsonrpc.methods import lookup
from lasso_trio.jsonrpc.request import Request, decode
from lasso_trio.routing.execute_filters import makers
from lasso_trio.routing.service import Wish
from tests.routing.undialled import undialled
from tests.workers.team import Colleague, team_of

Clock = trio.testing.MockClock
BALANCED = Wish(strategy=Strategy.LOAD_BALANCED)
OVER_WS = Wish(transport=Transport.WS)


async def call(at: Colleague, method: str, params: list[Any], wish: Wish = BALANCED) -> tuple[Any, str]:
    """The answer's result (or error), and who gave it."""
    text = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
    request = decode(text.encode())
    assert isinstance(request, Request)
    outcome = (await at.service.serve(at.routed, wish, request, trio.current_time(), stream=False)).outcome
    who = "" if outcome.candidate is None else outcome.candidate.label
    if outcome.error is not None:
        return outcome.error.message, who
    assert outcome.reply is not None
    return json.loads(outcome.reply.splice(b"7"))["result"], who


async def test_a_filter_made_where_the_sockets_are_is_polled_at_any_worker(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with team_of(2, monkeypatch) as team:
        keeper, follower = team[team.keeper], team[team.followers[0]]
        assert (await call(keeper, "eth_blockNumber", [], OVER_WS))[1].endswith(":ws")  # it could have been made there
        for _ in range(20):
            id_, maker = await call(keeper, "eth_newBlockFilter", [])
            told, who = await call(follower, "eth_getFilterChanges", [id_])
            assert (isinstance(told, list), maker.endswith(":http"), who) == (True, True, maker)


async def test_who_has_sockets_alone_makes_filters_over_them(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with team_of(1, monkeypatch, only_ws=frozenset({"a"})) as team:
        keeper, a = team[team.keeper], Wish(provider="a")
        id_, maker = await call(keeper, "eth_newBlockFilter", [], a)
        assert maker == "a:ws"
        assert (await call(keeper, "eth_getFilterChanges", [id_]))[1] == "a:ws"


async def test_a_client_that_wants_sockets_gets_them_and_polls_as_it_likes(
    autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with team_of(1, monkeypatch) as team:
        keeper = team[team.keeper]
        id_, maker = await call(keeper, "eth_newBlockFilter", [], OVER_WS)
        assert maker.endswith(":ws")
        assert (await call(keeper, "eth_getFilterChanges", [id_], OVER_WS))[1] == maker
        assert (await call(keeper, "eth_getFilterChanges", [id_]))[1] == maker.replace(":ws", ":http")


def test_sockets_are_left_out_with_a_reason_unless_nothing_else_is_left() -> None:
    chain, method = undialled("a", "b", ws=["b"]), lookup("eth_newFilter", b'"eth_newFilter"')
    plan = chain.plan(method, b"[{}]", 0.0, Strategy.PRIORITY)
    assert makers(chain, method, plan, 0.0) is plan
    plan.ranked = chain.candidates
    kept = makers(chain, method, plan, 0.0)
    assert kept.labels == ["a:http", "b:http"]
    assert ("b:ws", "over_http") in {(each.label, each.reason) for each in kept.excluded}
    plan.ranked = tuple(c for c in chain.candidates if c.transport is Transport.WS)
    assert makers(chain, method, plan, 0.0) is plan
