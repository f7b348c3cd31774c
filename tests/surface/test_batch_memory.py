"""The results of a batch are held until the last is there: all together they may be as large as one, and no larger."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from tests.surface.conftest import Script, Start, reply

Scripted = Callable[[Script], Awaitable[str]]

MIB = 1024 * 1024


def calls(n: int) -> list[dict[str, object]]:
    return [{"jsonrpc": "2.0", "id": i, "method": "eth_getLogs"} for i in range(n)]


def result(size: int) -> bytes:
    return b'{"jsonrpc":"2.0","id":@,"result":"%b"}' % (b"x" * size)


@pytest.mark.parametrize("size", [MIB, 200_000])
async def test_a_batch_holds_no_more_than_the_largest_single_result(start: Start, replying: Any, size: int) -> None:
    most = 3 * MIB + 100_000
    surface = await start(upstreams={"odd": await replying(result(size))}, settings={"max_response_bytes": most})
    answers = (await surface.post("/rpc/devnet", calls(20))).json
    assert [answer["id"] for answer in answers] == list(range(20))
    whole = [answer for answer in answers if "result" in answer]
    refused = [answer["error"] for answer in answers if "error" in answer]
    assert all(answer["result"] == "x" * size for answer in whole)
    assert len(whole) == most // (size + 100)
    assert {(error["code"], error["data"]["reason"]) for error in refused} == {(-32000, "response_too_large")}
    assert all(pool.busy == 0 for pool in surface.app.registry.pools())


async def test_results_of_unknown_length_are_bounded_too(start: Start, scripted: Scripted) -> None:
    async def chunked(id_: int, _: object, stream: trio.abc.Stream) -> None:
        body = b'{"jsonrpc":"2.0","id":%d,"result":"%b"}' % (id_, b"x" * MIB)
        chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        await stream.send_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + chunk)

    surface = await start(upstreams={"odd": await scripted(chunked)}, settings={"max_response_bytes": 3 * MIB + 1000})
    answers = (await surface.post("/rpc/devnet", calls(20))).json
    assert 1 <= sum("result" in answer for answer in answers) <= 3  # those that fail on the way give back what they had
    assert all(pool.busy == 0 for pool in surface.app.registry.pools())


async def test_each_batch_has_the_room_to_itself(start: Start, replying: Any) -> None:
    surface = await start(upstreams={"odd": await replying(result(MIB))}, settings={"max_response_bytes": 2 * MIB})
    for _ in range(3):
        answers = (await surface.post("/rpc/devnet", calls(1))).json
        assert answers[0]["result"] == "x" * MIB


async def test_an_attempt_that_breaks_off_leaves_its_room_to_the_next(start: Start, scripted: Scripted) -> None:
    turns = 0

    async def first_half_then_whole(id_: int, _: object, stream: trio.abc.Stream) -> None:
        nonlocal turns
        turns += 1
        text = reply(b'{"jsonrpc":"2.0","id":%d,"result":"%b"}' % (id_, b"x" * MIB))
        if turns == 1:
            await stream.send_all(text[: len(text) // 2])
            await stream.aclose()
        else:
            await stream.send_all(text)

    urls = {name: await scripted(first_half_then_whole) for name in ("one", "two")}
    surface = await start(upstreams=urls, settings={"max_response_bytes": MIB + 1000})
    answers = (await surface.post("/rpc/devnet", calls(1))).json
    assert turns == 2
    assert answers[0]["result"] == "x" * MIB
