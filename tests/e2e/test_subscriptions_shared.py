"""What providers and clients see of a node with many subscribers: few subscriptions above, a proper goodbye below."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Final

import pytest
import trio
from trio_websocket import WebSocketConnection, open_websocket_url
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from lasso_trio.devnet import TOKENS, Chain, Devnet, Faults
from tests.e2e.conftest import Serve
from tests.e2e.fleet import Fleet
from tests.e2e.history import History
from tests.e2e.lasso import Lasso

SOCKETS: Final = 100
EACH: Final = 10
FEEDS: Final = 2
"""The default of `websocket.feeds`."""
WISH: Final = ["logs", {"address": TOKENS[0]}]


def subscribed_to(net: Devnet, kind: str) -> Counter[str]:
    """How often each provider was asked to subscribe to `kind`."""
    return Counter(
        name
        for name, provider in net.providers.items()
        for seen in provider.recent
        if seen.method == "eth_subscribe" and isinstance(seen.params, list) and seen.params[0] == kind
    )


async def until(so: Callable[[], bool]) -> None:
    for _ in range(6_000):
        if so():
            return
        await trio.sleep(0.01)
    raise AssertionError("it did not come to that")


async def subscribe(socket: WebSocketConnection, times: int) -> set[str]:
    """The ids of so many equal subscriptions."""
    for n in range(times):
        await socket.send_message(json.dumps({"jsonrpc": "2.0", "id": n, "method": "eth_subscribe", "params": WISH}))
    answers = [json.loads(await socket.get_message()) for _ in range(times)]
    assert [answer for answer in answers if "result" not in answer] == []
    return {answer["result"] for answer in answers}


async def test_a_thousand_equal_subscriptions_are_two_at_the_providers(serve: Serve) -> None:
    live, told = Counter[str](), Counter[str]()

    async def client(url: str, all_live: trio.Event) -> None:
        async with open_websocket_url(url) as socket:
            ids = await subscribe(socket, EACH)
            live.update(ids)
            await all_live.wait()
            events = [json.loads(await socket.get_message())["params"] for _ in range(EACH)]
            assert {event["subscription"] for event in events} == ids
            told.update(event["result"]["blockNumber"] for event in events)

    chain = Chain(block_time=None, start_height=1_000)
    async with Devnet.open({name: Faults() for name in "abc"}, chain=chain) as net:
        urls = {name: net.url(name) for name in net.providers}
        lasso = await trio.to_thread.run_sync(partial(serve, urls, websockets=True))
        all_live = trio.Event()
        async with trio.open_nursery() as nursery:
            for _ in range(SOCKETS):
                nursery.start_soon(client, lasso.ws_url, all_live)
            await until(lambda: live.total() == SOCKETS * EACH)
            await until(lambda: len(subscribed_to(net, "logs")) >= FEEDS)
            net.advance()
            all_live.set()
        assert list(subscribed_to(net, "logs").values()) == [1] * FEEDS
        assert told.total() == SOCKETS * EACH
        await trio.to_thread.run_sync(lasso.stop)
        await until(lambda: all(provider.open_websockets == 0 for provider in net.providers.values()))


@contextmanager
def subscribed(lasso: Lasso, wishes: list[list[Any]]) -> Iterator[list[ClientConnection]]:
    """A socket for each wish, of a library's client."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(connect(lasso.ws_url)) for _ in wishes]
        for socket, params in zip(sockets, wishes, strict=True):
            socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": params}))
            assert len(json.loads(socket.recv(10))["result"]) == 34
        yield sockets


def test_when_the_node_is_stopped_every_subscriber_is_told_to_come_again(
    fleet: Fleet, history: History, serve: Serve
) -> None:
    lasso = serve(fleet.urls, websockets=True)
    with subscribed(lasso, [["newHeads"], ["logs", {"address": history.till}]] * 10) as sockets:
        lasso.stop()
        for socket in sockets:
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(10)
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1012, "the node is restarting; connect again")
