from __future__ import annotations

import json

import httpx
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.check.caller import Said
from lasso_trio.check.loading import (
    BATCH,
    MOST_AT_ONCE,
    POLITE,
    Crowd,
    Flood,
    Pace,
    TooMany,
    flood_body,
    plan_flood,
    summed,
)
from tests.check.fake_node import FakeNode, reply, result


def test_a_pace_lets_its_burst_go_and_then_so_many_a_second() -> None:
    pace = Pace(10.0, 5.0)
    assert [pace.at(n) for n in (0, 4, 5, 14)] == [0.0, 0.0, pytest.approx(0.1), pytest.approx(1.0)]
    assert Pace().at(10**6) == 0.0


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_a_pace_within_a_limit_never_reaches_it(rps: int, burst: int) -> None:
    pace = Pace.within(rps, burst)
    for number in (0, 1, 10, 100, 5000):
        sent_by_then = number + 1
        assert sent_by_then <= max(1.0, burst) + rps * pace.at(number) + 1e-6 or rps == 1


@pytest.mark.parametrize(
    ("rps", "burst", "impolite", "flood"),
    [
        (20, 100, False, Flood(150)),
        (20, 100, True, Flood(150)),
        (100, 100, False, Flood(150)),
        (100, 100, True, Flood(8, 50)),
        (1000, 10, True, Flood(301, 10)),
        (100, 500, True, Flood(16, 50)),
        (1000, 5000, True, Flood(160, 50)),
    ],
)
def test_a_limit_is_exceeded_by_no_more_than_it_takes(rps: int, burst: int, impolite: bool, flood: Flood) -> None:
    assert plan_flood(rps, burst, impolite) == flood
    assert flood.calls > burst


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.booleans())
def test_a_flood_costs_more_than_the_burst_and_no_batch_of_it_more_than_there_can_be(
    rps: int, burst: int, impolite: bool
) -> None:
    flood = plan_flood(rps, burst, impolite)
    if isinstance(flood, Flood):
        assert flood.calls > burst
        assert flood.per_request <= burst
        assert flood.calls <= (MOST_AT_ONCE + BATCH if impolite else POLITE)
    else:
        assert burst >= POLITE or rps >= POLITE


@pytest.mark.parametrize(("rps", "impolite", "hint"), [(100, False, "--load makes them"), (10_000, True, "")])
def test_more_than_is_polite_or_allowed_is_not_tried(rps: int, impolite: bool, hint: str) -> None:
    refused = plan_flood(rps, 500, impolite)
    assert isinstance(refused, TooMany)
    assert hint in refused.todo


def test_a_body_is_a_call_or_a_batch_of_them() -> None:
    assert json.loads(flood_body(Flood(1)))["method"] == "eth_chainId"
    assert [call["id"] for call in json.loads(flood_body(Flood(1, 3)))] == [0, 1, 2]


async def test_a_crowd_makes_so_many_calls_and_so_many_at_once(autojump_clock: trio.testing.MockClock) -> None:
    running, most = 0, 0

    async def slow(_: httpx.Request) -> httpx.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await trio.sleep(1)
        running -= 1
        return result()

    node = FakeNode()
    async with node.caller() as usual, httpx.AsyncClient(transport=httpx.MockTransport(slow)) as client:
        crowd = Crowd(type(usual)({}, 5.0, client), "http://n/rpc", b"{}", calls=25, concurrency=10)
        answers = await crowd.run()
    assert (len(answers), most, crowd.seconds) == (25, 10, pytest.approx(3.0))


async def test_a_crowd_keeps_its_pace_and_stops_at_its_deadline(autojump_clock: trio.testing.MockClock) -> None:
    node = FakeNode({"/rpc": result()})
    async with node.caller() as caller:
        crowd = Crowd(caller, "http://n/rpc", b"{}", 1000, 4, Pace(10.0, 5.0), deadline_s=2.0)
        answers = await crowd.run()
    assert len(answers) == 25
    assert crowd.seconds <= 2.0


def test_answers_are_summed_up() -> None:
    good = [Said(200, seconds=n / 1000) for n in range(1, 101)]
    seen = summed([*good, Said(429, "limited"), Said(500, "HTTP 500")], 2.0)
    assert (seen.sent, seen.errors, seen.limited, seen.example) == (101, 1, 1, "HTTP 500")
    assert (seen.p50_ms, seen.p95_ms, seen.p99_ms) == (50.0, 95.0, 99.0)
    assert summed([], 0.0).p99_ms == 0.0


async def test_refusals_of_a_crowd_are_counted_apart() -> None:
    node = FakeNode({"/rpc": reply({"error": {"code": 1, "message": "no"}}, 429)})
    async with node.caller() as caller:
        crowd = Crowd(caller, "http://n/rpc", b"{}", POLITE, 50)
        seen = summed(await crowd.run(), crowd.seconds)
    assert (seen.sent, seen.limited) == (0, POLITE)
