from __future__ import annotations

from math import inf
from typing import Any

import attrs
import pytest
import trio

from lasso_trio.config.access import AccessPolicy, Auth, Names
from lasso_trio.config.profile import Strategy, Transport
from lasso_trio.config.secret import Secret
from lasso_trio.config.settings import Settings
from lasso_trio.dashboard.board import Board
from lasso_trio.dashboard.try_it import (
    MOST_LANES,
    SHOWN_BYTES,
    Ask,
    Refused,
    outcome_row,
    read,
    timeline,
    try_call,
)
from lasso_trio.jsonrpc.request import Request
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.service import Served, Wish
from lasso_trio.routing.trail import Role, Step
from tests.dashboard.boards import KEY, board_of, directory_of, refusal, reply_of, routed_of, served_by


@attrs.define(eq=False)
class Puppet:
    """A service that answers with what it is told to."""

    board: Any = None
    asked: list[tuple[Request, Wish]] = attrs.field(factory=list)
    outcome: dict[str, Any] = attrs.field(factory=dict)

    async def serve(self, chain: RoutedChain, wish: Wish, request: Request, now: float, **how: object) -> Served:
        assert how["stream"] is False
        await trio.lowlevel.checkpoint()
        self.asked.append((request, wish))
        return served_by(self.board, **self.outcome)

    def explain(self, chain: RoutedChain, wish: Wish, request: Request, now: float) -> dict[str, Any]:
        return {"answer": "upstream", "method": request.method.name}


@attrs.define(eq=False)
class Door:
    told: list[tuple[Any, ...]] = attrs.field(factory=list)

    def record(self, *what: object) -> None:
        self.told.append(what)


def made(rate: int = 1000, **outcome: Any) -> tuple[Board, Puppet]:  # noqa: ANN401
    puppet = Puppet(outcome=outcome)
    board = puppet.board = board_of(directory_of(rate=rate), service=puppet)
    return board, puppet


async def test_a_call_is_explained_carried_out_and_recorded_like_any_other() -> None:
    board, puppet = made()
    door = Door()
    board.doors = ((door, "http"),)
    asked = (
        b'{"chain":"eth","method":"eth_getBalance","params":["0x1", "latest"],"strategy":"fastest","provider":"alpha",'
        b'"transport":"http","hedge":20}'
    )
    told = await try_call(board, read(asked), "192.0.2.1")
    assert told["explain"]["method"] == "eth_getBalance"
    assert (told["outcome"]["ok"], told["outcome"]["result"], told["outcome"]["result_bytes"]) == (True, '"0x1"', 5)
    ((request, wish),) = puppet.asked
    assert request.params == b'["0x1", "latest"]'
    assert (wish.strategy, wish.provider, wish.transport) == (Strategy.FASTEST, "alpha", Transport.HTTP)
    assert wish.hedge_s == 0.02
    assert len(door.told) == 1


async def test_a_call_may_be_explained_only() -> None:
    board, puppet = made()
    told = await try_call(board, Ask("eth", "eth_call", carry_out=False, hedge="off"), "192.0.2.1")
    assert (told["outcome"], puppet.asked) == (None, [])


async def test_it_counts_against_the_profiles_limit() -> None:
    board, _ = made(rate=2)
    for _ in range(2):
        await try_call(board, Ask("eth", "eth_call"), "192.0.2.1")
    with pytest.raises(Refused) as refused:
        await try_call(board, Ask("eth", "eth_call"), "192.0.2.1")
    assert refused.value.status == 429
    assert refused.value.body["retry_after_ms"] > 0
    assert routed_of(board).counts.limited == 1
    await try_call(board, Ask("eth", "eth_call"), "192.0.2.2")


@pytest.mark.parametrize(
    ("ask", "status"),
    [
        (Ask("nope", "eth_call"), 404),
        (Ask("eth", "eth_call", profile="nope"), 404),
        (Ask("eth", ""), 400),
        (Ask("eth", "eth_subscribe"), 400),
        (Ask("eth", "eth_call", strategy="slowest"), 400),
        (Ask("eth", "eth_call", transport="pigeon"), 400),
        (Ask("eth", "eth_call", hedge="soon"), 400),
        (Ask("eth", "eth_call", hedge=0), 400),
    ],
)
async def test_what_cannot_be_tried_is_refused(ask: Ask, status: int) -> None:
    with pytest.raises(Refused) as refused:
        await try_call(made()[0], ask, "192.0.2.1")
    assert refused.value.status == status


@pytest.mark.parametrize(("hedge", "seconds"), [(None, None), ("", None), ("off", inf), (50, 0.05), (0.5, 0.0005)])
async def test_hedging_is_as_the_page_wants_it(hedge: Any, seconds: float | None) -> None:  # noqa: ANN401
    board, puppet = made()
    await try_call(board, Ask("eth", "eth_call", hedge=hedge), "192.0.2.1")
    assert puppet.asked[0][1].hedge_s == seconds


async def test_an_error_is_told_without_keys() -> None:
    board, _ = made(error=refusal(f"see https://alpha.example/{KEY}"))
    told = (await try_call(board, Ask("eth", "eth_call"), "192.0.2.1"))["outcome"]
    assert (told["ok"], told["result"], told["error"]["code"]) == (False, None, -32000)
    assert KEY not in str(told)


async def test_a_large_result_is_cut_where_it_is_shown() -> None:
    board = board_of()
    served = served_by(board)
    served.outcome.reply = reply_of(b'"' + b"x" * 100_000 + b'"')
    told = outcome_row(served, 0.1, [])
    assert (len(told["result"]), told["result_bytes"], told["truncated"]) == (SHOWN_BYTES, 100_002, True)


def step(provider: str, role: Role, started: float, ended: float, **how: Any) -> Step:  # noqa: ANN401
    return Step(provider, f"1:{provider}:0", "http", role, role, 0, started, ended, **how)


async def test_a_race_is_told_with_who_lost_it_and_what_he_had_taken() -> None:
    outcome = served_by(board_of(), "beta:http", hedges=1, hedge_won=True, hedge_delay_s=0.03, saved_s=0.1)
    steps = [step("alpha", "first", 10.001, 10.05, cancelled=True), step("beta", "hedge", 10.031, 10.05)]
    lanes = timeline(steps, outcome.outcome, 10.0)
    assert [(lane["provider"], lane["kind"], lane["end"]) for lane in lanes] == [
        ("alpha", "first", "lost"),
        ("beta", "hedge", "won"),
    ]
    assert [(lane["start_ms"], lane["took_ms"], lane["end_ms"]) for lane in lanes] == [(1, 49, 50), (31, 19, 50)]
    told = outcome_row(outcome, 0.05, lanes)
    assert (told["hedge_delay_ms"], told["saved_ms"], told["timeline"]) == (30.0, 100.0, lanes)


async def test_a_failover_is_told_with_what_failed() -> None:
    outcome = served_by(board_of(), "beta:http", retries=1).outcome
    steps = [
        step("alpha", "first", 0.0, 0.01, category="network_error"),
        step("beta", "failover", 0.01, 0.02, category="revert"),
    ]
    lanes = timeline(steps, outcome, 0.0)
    assert [(lane["end"], lane["category"]) for lane in lanes] == [("failed", "network_error"), ("won", "revert")]


async def test_who_answered_second_best_was_outdone_and_of_two_answers_of_one_the_last_counts() -> None:
    outcome = served_by(board_of(), "beta:http").outcome
    steps = [step("alpha", "first", 0.0, 0.01), step("beta", "hedge", 0.0, 0.01), step("beta", "failover", 0.01, 0.02)]
    assert [lane["end"] for lane in timeline(steps, outcome, 0.0)] == ["outdone", "outdone", "won"]


async def test_without_an_answer_nobody_has_won_and_lanes_are_bounded() -> None:
    failed = served_by(board_of(), error=refusal()).outcome
    steps = [step("alpha", "first", 0.0, 0.01, category="timeout")] * (MOST_LANES + 5)
    assert [lane["end"] for lane in timeline(steps, failed, 0.0)] == ["failed"] * MOST_LANES
    assert timeline([], served_by(board_of(), None).outcome, 0.0) == []


async def test_an_open_dashboard_is_no_way_around_a_profiles_keys_and_one_with_a_password_is_trusted() -> None:
    board, puppet = made()
    routed = routed_of(board)
    routed.profile = attrs.evolve(routed.profile, access=AccessPolicy(Auth(), methods=Names(deny=("eth_send*",))))
    with pytest.raises(Refused) as refused:
        await try_call(board, Ask("eth", "eth_call"), "192.0.2.1")
    assert (refused.value.status, puppet.asked) == (403, [])
    assert (await try_call(board, Ask("eth", "eth_call", carry_out=False), "192.0.2.1"))["outcome"] is None
    board.settings = Settings(dashboard_password=Secret("x"))
    assert (await try_call(board, Ask("eth", "eth_call"), "192.0.2.1"))["outcome"] is not None
    with pytest.raises(Refused) as refused:
        await try_call(board, Ask("eth", "eth_sendRawTransaction"), "192.0.2.1")
    assert refused.value.status == 403
