"""The soak's clients: kept-alive calls, batches, connections that come and go, WebSocket calls, and subscribers.

All answers are looked at: a call is lost when its answer is an error, is another call's, or does not come.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable, Iterator

import attrs
import trio
from soak_figures import Lost
from trio_websocket import ConnectionClosed, HandshakeError, WebSocketConnection, open_websocket_url

from tests.e2e.caller import Caller, WrongAnswer

CHAIN = "soak"
ANSWER_S = 30.0
METHODS = (
    ("eth_getBalance", '["0x%040x","latest"]'),
    ("eth_getBlockByNumber", '["latest",false]'),
    ("eth_blockNumber", "[]"),
    ("eth_getTransactionCount", '["0x%040x","latest"]'),
)
_HEADS = '{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'


@attrs.define(eq=False)
class Load:
    """`rate`: calls per second of the kept-alive connections together. `now`: seconds since the load began."""

    port: int
    now: Callable[[], float]
    rate: float = 150.0
    calls: int = 0
    heads: int = 0
    lost: list[Lost] = attrs.field(factory=list)
    _ids: Iterator[int] = attrs.field(factory=lambda: itertools.count(1))

    async def run(self, connections: int = 12, sockets: int = 6, subscribers: int = 20) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as nursery:
            for _ in range(connections):
                nursery.start_soon(self._repeat, self._kept, connections / self.rate)
            nursery.start_soon(self._repeat, self._batches, 0.2)
            nursery.start_soon(self._repeat, self._one_call_each, 0.1)
            for _ in range(sockets):
                nursery.start_soon(self._repeat, self._socket_calls, 0.25)
            for _ in range(subscribers):
                nursery.start_soon(self._repeat, self._subscriber, 0.0)

    async def _repeat(self, life: Callable[[float], Awaitable[None]], pause: float) -> None:
        """A client's life, and another one when its connection has ended."""
        while True:
            try:
                await life(pause)
            except (OSError, WrongAnswer, ConnectionClosed, HandshakeError, trio.TooSlowError) as error:
                self.lost.append(Lost(self.now(), f"{life.__name__}: {error!r}"[:300]))
                await trio.sleep(0.2)

    def question(self) -> tuple[int, str]:
        id_ = next(self._ids)
        method, params = METHODS[id_ % len(METHODS)]
        filled = params % id_ if "%" in params else params
        return id_, f'{{"jsonrpc":"2.0","id":{id_},"method":"{method}","params":{filled}}}'

    def judge(self, id_: int, answer: object) -> None:
        self.calls += 1
        if not (isinstance(answer, dict) and answer.get("id") == id_ and "result" in answer):
            self.lost.append(Lost(self.now(), str(answer)[:300]))

    async def _caller(self) -> Caller:
        return await Caller.connect(self.port, f"/rpc/fastest/{CHAIN}")

    async def _ask(self, caller: Caller) -> None:
        id_, text = self.question()
        with trio.fail_after(ANSWER_S):
            answer = await caller.call(text.encode())
        self.judge(id_, json.loads(answer.body))

    async def _kept(self, pause: float) -> None:
        caller, due = await self._caller(), trio.current_time()
        try:
            while True:
                await self._ask(caller)
                due = max(due + pause, trio.current_time())
                await trio.sleep_until(due)
        finally:
            caller.close()

    async def _batches(self, pause: float) -> None:
        caller = await self._caller()
        try:
            while True:
                asked = dict(self.question() for _ in range(5))
                with trio.fail_after(ANSWER_S):
                    answer = await caller.call(f"[{','.join(asked.values())}]".encode())
                for id_, one in zip(asked, json.loads(answer.body), strict=False):
                    self.judge(id_, one)
                await trio.sleep(pause)
        finally:
            caller.close()

    async def _one_call_each(self, pause: float) -> None:
        """A connection per call."""
        while True:
            caller = await self._caller()
            try:
                await self._ask(caller)
            finally:
                caller.close()
            await trio.sleep(pause)

    async def _socket_calls(self, pause: float) -> None:
        """Two hundred calls, then another socket."""
        async with open_websocket_url(f"ws://127.0.0.1:{self.port}/ws/rpc/{CHAIN}") as socket:
            for _ in range(200):
                id_, text = self.question()
                await socket.send_message(text)
                with trio.fail_after(ANSWER_S):
                    self.judge(id_, json.loads(await socket.get_message()))
                await trio.sleep(pause)

    async def _subscriber(self, _: float) -> None:
        """A hundred heads, then another socket."""
        async with open_websocket_url(f"ws://127.0.0.1:{self.port}/ws/rpc/{CHAIN}") as socket:
            await socket.send_message(_HEADS)
            for _head in range(100):
                await self._hear(socket)

    async def _hear(self, socket: WebSocketConnection) -> None:
        with trio.fail_after(ANSWER_S):
            told = json.loads(await socket.get_message())
        if told.get("method") == "eth_subscription":
            self.heads += 1
        elif "error" in told:
            self.lost.append(Lost(self.now(), str(told)[:300]))
