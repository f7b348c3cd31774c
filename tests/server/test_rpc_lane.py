"""The rpc lane over memory streams: what goes in as bytes, what comes out as bytes, and when a connection ends."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

from lasso_trio.server.answer import Answer
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.connection import Peer
from lasso_trio.server.front_door import FrontDoor
from lasso_trio.server.http_request import HttpRequest
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.rpc_lane import is_rpc

OpenDoor = Callable[..., Awaitable[Any]]


def post(body: bytes = b"hi", *lines: bytes, target: bytes = b"/rpc/eth", version: bytes = b"1.1") -> bytes:
    head = b"POST %b HTTP/%b\r\nHost: a\r\n%bContent-Length: %d\r\n\r\n"
    return head % (target, version, b"".join(line + b"\r\n" for line in lines), len(body)) + body


def split(wire: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """Answers with a content-length (or none at all) as (status, headers, body)."""
    answers = []
    while wire:
        head, _, wire = wire.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        size = int(headers.get("content-length", 0))
        answers.append((int(first.split()[1]), headers, wire[:size]))
        wire = wire[size:]
    return answers


@pytest.mark.parametrize(
    ("line", "ours"),
    [
        (b"POST /rpc HTTP/1.1", True),
        (b"POST /rpc/eth HTTP/1.1", True),
        (b"POST /rpc?x HTTP/1.1", True),
        (b"OPTIONS /rpc/eth HTTP/1.1", True),
        (b"POST http://a:1/rpc/eth HTTP/1.1", True),
        (b"POST  /rpc HTTP/1.1", True),
        (b"POST /rpcx HTTP/1.1", False),
        (b"POST /api HTTP/1.1", False),
        (b"POST /x/rpc HTTP/1.1", False),
        (b"GET /rpc HTTP/1.1", False),
        (b"HEAD /rpc HTTP/1.1", False),
        (b"GET /ws/rpc/eth HTTP/1.1", False),
        (b"PRI * HTTP/2.0", False),
        (b"OPTIONS * HTTP/1.1", False),
    ],
)
def test_lane_takes_post_and_options_on_rpc_only(line: bytes, ours: bool) -> None:
    assert is_rpc(line + b"\r\n") is ours


async def test_call_is_answered_with_one_whole_response(open_door: OpenDoor) -> None:
    wire = await (await open_door()).exchange(post(b"ping", target=b"/rpc/eth?a=1"))
    ((status, headers, body),) = split(wire)
    assert (status, body) == (200, b"POST /rpc/eth?a=1 ping")
    assert headers.keys() == {"date", "content-type", "content-length"}


async def test_kept_connection_carries_call_after_call(open_door: OpenDoor) -> None:
    client = (await open_door()).connect()
    for word in (b"one", b"two", b"three"):
        assert (await client.say(post(word))).endswith(b" " + word)


async def test_pipelined_calls_are_answered_in_order_one_at_a_time(open_door: OpenDoor) -> None:
    running = 0

    async def slow(request: HttpRequest, peer: Peer) -> Answer:
        nonlocal running
        running += 1
        assert running == 1
        await trio.lowlevel.checkpoint()
        running -= 1
        return Answer(200, body=request.body)

    wire = await (await open_door(slow)).exchange(post(b"a") + post(b"b") + post(b"c")[:-1])
    assert [body for _, _, body in split(wire)] == [b"a", b"b"]


async def test_options_goes_to_the_handler_and_a_204_has_no_body(open_door: OpenDoor) -> None:
    async def preflight(request: HttpRequest, peer: Peer) -> Answer:
        assert request.head.method == "OPTIONS"
        return Answer(204, b"access-control-allow-origin: *\r\n")

    wire = await (await open_door(preflight)).exchange(b"OPTIONS /rpc/eth HTTP/1.1\r\nHost: a\r\n\r\n")
    ((status, headers, _),) = split(wire)
    assert status == 204
    assert "content-length" not in headers


async def test_body_in_pieces_and_chunked_body_arrive_whole(open_door: OpenDoor) -> None:
    client = (await open_door()).connect()
    wire = post(b"hello")
    assert await client.say(wire[:30]) == b""
    assert await client.say(wire[30:-2]) == b""
    assert (await client.say(wire[-2:])).endswith(b" hello")
    chunked = b"POST /rpc HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n"
    assert await client.say(chunked) == b""
    assert (await client.say(b"2\r\nlo\r\n0\r\n\r\n")).endswith(b" hello")


# Persistence…


@pytest.mark.parametrize("wire", [post(b"x", b"Connection: close"), post(b"x", version=b"1.0")])
async def test_client_that_wants_the_end_gets_it(open_door: OpenDoor, wire: bytes) -> None:
    client = (await open_door()).connect()
    await client.stream.send_all(wire)
    ((_, headers, _),) = split(await client.read_to_end())
    assert headers["connection"] == "close"


async def test_http_1_0_is_kept_alive_when_it_asks(open_door: OpenDoor) -> None:
    client = (await open_door()).connect()
    for _ in range(2):
        ((_, headers, _),) = split(await client.say(post(b"x", b"Connection: keep-alive", version=b"1.0")))
        assert headers["connection"] == "keep-alive"


async def test_handler_may_close(open_door: OpenDoor) -> None:
    async def closing(request: HttpRequest, peer: Peer) -> Answer:
        return Answer(200, close=True)

    client = (await open_door(closing)).connect()
    await client.stream.send_all(post() + post())
    answers = split(await client.read_to_end())
    assert [headers["connection"] for _, headers, _ in answers] == ["close"]


# Refusals…

REFUSED = [
    (b"POST /rpc HTTP/1.1\r\n\r\n", 400),
    (b"POST /rpc HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"POST  /rpc HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    (b"POST /rpc HTTP/1.1\nHost: a\n\n", 400),
    (b"POST /rpc HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    (b"POST /rpc HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n", 413),
    (post(b"x", b"Content-Encoding: br"), 415),
    (post(b"x", b"Content-Encoding: gzip"), 400),
    (post(b"x", b"Expect: tea"), 417),
    (b"POST /rpc HTTP/1.1\r\nX: " + b"x" * 20_000, 431),
    (b"POST /rpc HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
]


@pytest.mark.parametrize(("wire", "status"), REFUSED)
async def test_refused_request_is_answered_and_ends_the_connection(
    open_door: OpenDoor, wire: bytes, status: int
) -> None:
    house = await open_door()
    client = house.connect()
    await client.stream.send_all(wire + post() * 3)
    with trio.fail_after(1):
        ((got, headers, _),) = split(await client.read_to_end())
    assert (got, headers["connection"]) == (status, "close")
    await client.stream.aclose()
    await wait_all_tasks_blocked()
    assert (house.door.active, house.door.counters.refused, house.door.counters.requests) == (0, 1, 0)


async def test_body_that_ends_early_is_refused(open_door: OpenDoor) -> None:
    client = (await open_door()).connect()
    await client.stream.send_all(post(b"hello")[:-1])
    await client.stream.send_eof()
    assert split(await client.read_to_end())[0][0] == 400


async def test_refused_sender_is_read_on_for_a_little_so_that_it_sees_the_answer(open_door: OpenDoor) -> None:
    house = await open_door(linger_bytes=1_000)
    client = house.connect()
    assert b" 413 " in await client.say(b"POST /rpc HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n")
    await client.say(b"x" * 999)
    assert house.door.active == 1
    await client.say(b"x")
    assert house.door.active == 0


async def test_a_body_just_too_large_may_be_sent_to_its_end_by_who_does_not_listen_meanwhile(
    open_door: OpenDoor,
) -> None:
    size = LaneLimits().max_body_bytes + 400_000
    client = (await open_door()).connect()
    answer = await client.say(b"POST /rpc HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
    assert split(answer)[0][0] == 413
    for _ in range(size // 65_536):
        await client.stream.send_all(b" " * 65_536)  # a BrokenResourceError here is a reset on the wire


async def test_crash_of_the_handler_is_a_500_and_ends_only_its_connection(open_door: OpenDoor) -> None:
    async def crashing(request: HttpRequest, peer: Peer) -> Answer:
        if request.body == b"bad":
            raise trio.BrokenResourceError("from inside")
        return Answer(200)

    house = await open_door(crashing)
    good, bad = house.connect(), house.connect()
    await bad.stream.send_all(post(b"bad") + post(b"good"))
    assert [status for status, _, _ in split(await bad.read_to_end())] == [500]
    assert b" 200 " in await good.say(post(b"good"))
    assert (house.door.counters.handler_crashes, house.door.counters.connection_crashes) == (1, 0)


async def test_a_crash_is_logged_under_the_clients_id(open_door: OpenDoor) -> None:
    async def crashing(_: HttpRequest, __: Peer) -> Answer:
        raise ValueError("a mistake")

    client = (await open_door(crashing)).connect()
    with capture_logs() as logs:
        await client.say(b"POST /rpc HTTP/1.1\r\nHost: a\r\nX-Request-Id: theirs\r\nContent-Length: 2\r\n\r\n{}")
    assert [(line["event"], line["request_id"]) for line in logs] == [("rpc.handler.crashed", "theirs")]


async def test_an_answer_that_breaks_off_is_logged_under_its_id(open_door: OpenDoor) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"half"

    async def breaking(_: HttpRequest, __: Peer) -> Answer:
        return Answer(200, b"x-request-id: ours\r\n", stream=pieces(), length=8)

    client = (await open_door(breaking)).connect()
    with capture_logs() as logs:
        await client.stream.send_all(post(b"{}"))
        with suppress(trio.BrokenResourceError):
            await client.read_to_end()
    assert [(line["event"], line["request_id"]) for line in logs] == [("rpc.answer.broken", "ours")]


# Expect, budget…

BIG = b"POST /rpc HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n%b\r\n"


async def test_continue_is_said_once_when_the_body_is_awaited(open_door: OpenDoor) -> None:
    client = (await open_door()).connect()
    assert await client.say(BIG % b"Expect: 100-continue\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert await client.say(b"x" * 4_000) == b""
    assert (await client.say(b"x" * 1_000)).startswith(b"HTTP/1.1 200 ")


async def test_continue_is_not_said_when_the_body_is_on_its_way_or_not_wanted(open_door: OpenDoor) -> None:
    house = await open_door(max_body_bytes=6_000)
    assert await house.exchange(BIG % b"Expect: 100-continue\r\n" + b"x") == b""
    refused = await house.exchange(BIG.replace(b"5000", b"9000") % b"Expect: 100-continue\r\n")
    assert refused.startswith(b"HTTP/1.1 413 ")


async def test_budget_is_held_for_a_body_in_progress_and_its_call_and_no_longer(open_door: OpenDoor) -> None:
    seen: list[int] = []
    budget = ByteBudget(20_000)

    async def look(request: HttpRequest, peer: Peer) -> Answer:
        seen.append(budget.used)
        return Answer(200)

    client = (await open_door(look, budget=budget)).connect()
    await client.say(BIG % b"")
    assert budget.used == 5_000
    assert b" 200 " in await client.say(b"x" * 5_000)
    assert (seen, budget.used) == ([5_000], 0)
    assert b" 200 " in await client.say(post(b"small and whole"))
    assert seen == [5_000, 0]


@pytest.mark.parametrize("framing", [b"Content-Length: 5000", b"Transfer-Encoding: chunked"])
async def test_body_for_which_there_is_no_room_is_refused_before_it_is_read(
    open_door: OpenDoor, framing: bytes
) -> None:
    budget = ByteBudget(4_999)
    house = await open_door(budget=budget)
    wire = b"POST /rpc HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % framing
    assert (await house.exchange(wire)).startswith(b"HTTP/1.1 503 ")
    assert (budget.used, budget.refused) == (0, 1)


async def test_client_that_leaves_gives_its_reservation_back(open_door: OpenDoor) -> None:
    budget = ByteBudget(20_000)
    house = await open_door(budget=budget)
    client = house.connect()
    await client.say(BIG % b"")
    assert budget.used == 5_000
    await client.stream.aclose()
    await wait_all_tasks_blocked()
    assert (budget.used, house.door.active) == (0, 0)


# gzip…


async def test_gzip_body_reaches_the_handler_inflated(open_door: OpenDoor) -> None:
    wire = await (await open_door()).exchange(post(gzip.compress(b"plain"), b"Content-Encoding: gzip"))
    assert wire.endswith(b" plain")


async def test_bomb_is_refused(open_door: OpenDoor) -> None:
    house = await open_door(max_body_bytes=100_000)
    client = house.connect()
    await client.stream.send_all(post(gzip.compress(bytes(10_000_000)), b"Content-Encoding: gzip"))
    ((status, _, _),) = split(await client.read_to_end())
    assert status == 413


# Any bytes at all…


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=6),
    st.lists(st.integers(1, 400), max_size=12),
    st.sampled_from([b"", b"garbage", b"POST /rpc HTTP/1.1\r\n\x00\r\n\r\n", b"\r\n\r\n", post(b"cut")[:-2]]),
)
@settings(max_examples=60, deadline=None)
def test_every_answer_is_for_its_request_however_the_bytes_are_cut(
    kinds: list[int], cuts: list[int], tail: bytes
) -> None:
    def request(number: int, kind: int) -> bytes:
        body = b"<%d>" % number
        if kind == 0:
            return post(body)
        if kind == 1:
            return b"POST /rpc HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (
                len(body),
                body,
            )
        if kind == 2:
            return post(gzip.compress(body), b"Content-Encoding: gzip")
        if kind == 3:
            return post(body, b"Expect: 100-continue")
        if kind == 4:
            return b"\r\n" + post(body)
        return post(body, b"X-Unique: %d" % number)

    async def main() -> None:
        async def echo(request: HttpRequest, peer: Peer) -> Answer:
            return Answer(200, body=request.body)

        async def nobody(stream: trio.abc.Stream, peer: Peer) -> None:
            pass

        wire = b"".join(request(number, kind) for number, kind in enumerate(kinds)) + tail
        door = FrontDoor(echo, nobody)
        theirs, ours = memory_stream_pair()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(door.serve_stream, ours, Peer("192.0.2.1", 1))
            for size in [*cuts, len(wire)]:
                piece, wire = wire[:size], wire[size:]
                if piece:
                    await theirs.send_all(piece)
                    await wait_all_tasks_blocked()
            await theirs.send_eof()
            got = b""
            while data := await theirs.receive_some():
                got += data
        answers = split(got.replace(b"HTTP/1.1 100 Continue\r\n\r\n", b""))
        bodies = [body for status, _, body in answers if status == 200]
        assert bodies == [b"<%d>" % number for number in range(len(kinds))]
        assert len(answers) - len(bodies) <= 1
        assert (door.active, door.budget.used, door.counters.connection_crashes) == (0, 0, 0)

    trio.run(main)
