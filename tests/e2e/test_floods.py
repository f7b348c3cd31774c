"""Floods, each beside clients who only want their calls answered: nobody else is refused, and the node comes back down.

Connections that come and go, handshakes without an end, subscriptions beyond all measure, bombs in batches and ids, and
one address that takes every connection it can get.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

import pytest
import trio
from trio_websocket import ConnectionClosed, HandshakeError, wrap_client_stream

from tests.e2e import devnet
from tests.e2e.bystanders import Bystanders, metric
from tests.e2e.caller import Caller, WrongAnswer
from tests.e2e.conftest import Serve
from tests.e2e.lasso import Lasso

PATH: Final = "/rpc/fastest/anvil"
SECONDS: Final = 4.0
AT_ONCE: Final = 40
RESET: Final = struct.pack("ii", 1, 0)
UPGRADE: Final = (
    b"GET /ws/rpc/anvil HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SUBSCRIBE: Final = '{"jsonrpc":"2.0","id":%d,"method":"eth_subscribe","params":["logs",{"address":"0x%040x"}]}'
Misdeed = Callable[[Lasso], Awaitable[None]]


@pytest.fixture(scope="module")
def providers() -> Iterator[dict[str, str]]:
    with devnet.running(1_000, {"one": 1_000, "two": 1_000}) as urls:
        yield urls


async def connects_and_goes(lasso: Lasso) -> None:
    caller = await Caller.connect(lasso.port, PATH)
    caller.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    caller.close()


async def shakes_hands_and_goes(lasso: Lasso) -> None:
    """Of every three handshakes one is waited for, one is left alone, one is bad."""
    for words in (UPGRADE, UPGRADE, UPGRADE.replace(b"13", b"12")):
        caller = await Caller.connect(lasso.port, PATH)
        try:
            await caller.send(words)
            await caller.sock.recv(1_024)
        finally:
            caller.close()


async def subscribes_without_end(lasso: Lasso) -> None:
    stream = await trio.open_tcp_stream("127.0.0.1", lasso.port)
    async with stream, trio.open_nursery() as nursery:  # ours to close, also when the handshake is broken off
        with contextlib.suppress(OSError, ConnectionClosed, HandshakeError):
            client = await wrap_client_stream(nursery, stream, "lasso", urlsplit(lasso.ws_url).path)
            for number in range(300):
                await client.send_message(SUBSCRIBE % (number, number))
            for _ in range(300):
                await client.get_message()
        nursery.cancel_scope.cancel()


async def sends_bombs(lasso: Lasso) -> None:
    """A batch of a hundred thousand, an id of a megabyte, nesting without end, and nothing but commas."""
    bombs = (
        b"[" + b"1," * 100_000 + b"1]",
        b'{"jsonrpc":"2.0","id":"%b","method":"eth_chainId"}' % (b"i" * 1_000_000),
        b'{"jsonrpc":"2.0","id":1,"method":"eth_call","params":%b}' % (b"[" * 500_000),
        b"[" + b"," * 500_000,
    )
    caller = await Caller.connect(lasso.port, PATH)
    try:
        for bomb in bombs:
            answer = await caller.call(bomb)
            assert answer.status in (200, 400), answer.status
    finally:
        caller.close()


MISDEEDS: Final = (connects_and_goes, shakes_hands_and_goes, subscribes_without_end, sends_bombs)


async def again_and_again(misdeed: Misdeed, lasso: Lasso) -> None:
    while True:
        with contextlib.suppress(OSError, WrongAnswer, ConnectionClosed, HandshakeError):
            await misdeed(lasso)
        await trio.sleep(0.01)


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_a_flood_is_not_noticed_by_others_and_leaves_nothing(
    providers: dict[str, str], serve: Serve, misdeed: Misdeed, say: Callable[[str], None]
) -> None:
    lasso = serve(providers)

    async def flood() -> None:
        with trio.move_on_after(SECONDS):
            async with trio.open_nursery() as nursery:
                for _ in range(AT_ONCE):
                    nursery.start_soon(again_and_again, misdeed, lasso)

    async def trial() -> tuple[Bystanders, Bystanders]:
        before, during = Bystanders(lasso.port, PATH), Bystanders(lasso.port, PATH)
        await before.call_each(70)
        await during.call_during(flood)
        return before, during

    before, during = trio.run(trial)
    say(
        f"{misdeed.__name__}: p99 {before.p99_ms():.1f} ms before, {during.p99_ms():.1f} ms during, "
        f"{len(during.seconds_each)} calls, {lasso.resident_mib():.0f} MiB"
    )
    assert before.wrong == during.wrong == []
    assert len(during.seconds_each) > 50
    assert trio.run(emptied, lasso)


async def emptied(lasso: Lasso) -> bool:
    """Whether the door is left with this one connection."""
    for _ in range(100):
        if await trio.to_thread.run_sync(metric, lasso.port, "lasso_door_connections") <= 2:
            return True
        await trio.sleep(0.1)
    return False


def test_one_address_cannot_take_every_connection(providers: dict[str, str], serve: Serve) -> None:
    lasso = serve(providers, env={"LASSO_MAX_CONNECTIONS": "60", "LASSO_MAX_CONNECTIONS_PER_IP": "40"})

    async def trial() -> tuple[int, bytes]:
        greedy = [await Caller.connect(lasso.port, PATH, source="127.0.0.2") for _ in range(80)]
        await trio.sleep(0.5)
        other = await Caller.connect(lasso.port, PATH)
        answer = await other.call(b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}')
        refused = [caller for caller in greedy if await told_429(caller)]
        for caller in (*greedy, other):
            caller.close()
        return len(refused), answer.body

    refused, answered = trio.run(trial)
    assert json.loads(answered)["result"]
    assert refused == 40


async def told_429(caller: Caller) -> bool:
    with trio.move_on_after(0.05):
        with contextlib.suppress(OSError):
            return (await caller.sock.recv(64)).startswith(b"HTTP/1.1 429 ")
    return False
