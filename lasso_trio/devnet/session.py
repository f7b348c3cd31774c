"""One WebSocket connection to a simulated provider: calls answered concurrently, subscriptions told of each block.

HTTP has no counterpart here, so failures take their nearest form: statuses become JSON-RPC errors (429 is code 429, as
some vendors do), a truncated or reset answer costs the connection, a dripping one is late by as long as it would take.
Subscription ids count from 0x1 on every connection, so ids of different providers collide, as real ones do.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Final, Protocol

import attrs
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, wrap_server_stream

from lasso_trio.devnet import envelope
from lasso_trio.devnet import params as read
from lasso_trio.devnet.chain import View
from lasso_trio.devnet.envelope import Call, Incoming
from lasso_trio.devnet.errors import INVALID_PARAMS, NodeError
from lasso_trio.devnet.faults import Behaviour, Failure, FaultPlan, Kind
from lasso_trio.devnet.json_types import Json
from lasso_trio.devnet.logs import LogFilter
from lasso_trio.devnet.methods import Site
from lasso_trio.devnet.watch import Watch

MAX_MESSAGE: Final = 32 * 1024 * 1024
HANDSHAKE_S: Final = 10
MOST_CALLS: Final = 256
MOST_SUBSCRIPTIONS: Final = 1024


class Source(Protocol):
    """What a session needs of its provider."""

    plan: FaultPlan

    def site(self) -> Site: ...

    def answer(self, call: Call) -> Json:
        """The result of a call. Raises `NodeError`."""

    def receive(self, incoming: Incoming, transport: str) -> Behaviour:
        """Count the calls and decide what happens to them."""

    async def next_view(self, seen: View) -> None:
        """Return when the chain may look different from `seen`."""


@attrs.define(eq=False)
class Session:
    source: Source
    connection: WebSocketConnection
    nursery: trio.Nursery
    _watches: dict[str, Watch] = attrs.field(factory=dict, init=False)
    _ids: count[int] = attrs.field(factory=lambda: count(1), init=False)
    _places: trio.Semaphore = attrs.field(factory=lambda: trio.Semaphore(MOST_CALLS), init=False)
    _announced: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    async def run(self) -> None:
        """Serve until the peer closes, or a failure drops the connection (the nursery is cancelled)."""
        self.nursery.start_soon(self._announce)
        while True:
            message = await self.connection.get_message()
            await self._places.acquire()
            self.nursery.start_soon(self._serve, message.encode() if isinstance(message, str) else message)

    async def _serve(self, message: bytes) -> None:
        try:
            incoming = envelope.decode(message)
            behaviour = self.source.receive(incoming, "ws")
            if behaviour.delay_s:
                await trio.sleep(behaviour.delay_s)
            await self._reply(incoming, behaviour.failure)
        except ConnectionClosed:
            pass  # `run` sees it too, and ends the session
        finally:
            self._places.release()

    async def _reply(self, incoming: Incoming, failure: Failure | None) -> None:
        if failure is not None and failure.kind is Kind.HANG:
            return
        if failure is not None and failure.kind in (Kind.RESET, Kind.TRUNCATED):
            self.nursery.cancel_scope.cancel("a fault drops this connection")
            return
        if failure is not None and failure.kind is Kind.GARBAGE:
            await self.connection.send_message("this is not JSON")
            return
        async with self._announced:  # nothing may be told of a subscription before its id is
            body = envelope.answer(incoming, self._answer, _inside_json(failure))
            if failure is not None and failure.kind is Kind.DRIP:
                await trio.sleep(len(body) / failure.bytes_per_s)
            if body:
                await self.connection.send_message(body.decode(errors="replace"))

    def _answer(self, call: Call) -> Json:
        if call.method == "eth_subscribe" and call.method not in self.source.plan.faults.missing_methods:
            return self._subscribe(call.params)
        if call.method == "eth_unsubscribe":
            return self._unsubscribe(call.params)
        return self.source.answer(call)

    def _subscribe(self, params: Json) -> str:
        given = params if isinstance(params, list) else []
        kind = read.at(given, 0)
        if len(self._watches) >= MOST_SUBSCRIPTIONS:
            raise NodeError(-32005, f"at most {MOST_SUBSCRIPTIONS} subscriptions")
        if kind not in ("newHeads", "logs"):
            raise NodeError(INVALID_PARAMS, f"no {kind!r:.40} subscription in eth namespace")
        wanted = LogFilter.read(read.at(given, 1, {}), 1) if kind == "logs" else None
        id_ = hex(next(self._ids))
        self._watches[id_] = Watch(self.source.site().view, wanted)
        return id_

    def _unsubscribe(self, params: Json) -> bool:
        id_ = read.at(params if isinstance(params, list) else [], 0)
        if self._watches.pop(str(id_), None) is None:
            raise NodeError(INVALID_PARAMS, "subscription not found")
        return True

    async def _announce(self) -> None:
        try:
            view = self.source.site().view
            while True:
                await self.source.next_view(view)
                async with self._announced:
                    view = self.source.site().view
                    await self._tell_news(view)
        except ConnectionClosed:
            pass

    async def _tell_news(self, view: View) -> None:
        for id_, watch in list(self._watches.items()):
            for item in list(watch.news(view)):
                if not self._is_lost():
                    await self.connection.send_message(envelope.notification(id_, item).decode())

    def _is_lost(self) -> bool:
        plan = self.source.plan
        return plan.faults.ws_mute or (plan.faults.ws_loss_share > 0 and plan.rng.random() < plan.faults.ws_loss_share)


async def serve_session(source: Source, stream: trio.abc.Stream, opened: Callable[[trio.CancelScope], None]) -> None:
    """Upgrade the stream and serve it until it ends. `opened` gets the scope whose cancelling drops the connection.

    The session has a nursery of its own, because trio-websocket may cancel the one it is given (its issue 184). Raises
    exception groups of what trio-websocket did not expect.
    """
    faults = source.plan.faults
    async with trio.open_nursery() as nursery:
        opened(nursery.cancel_scope)
        if faults.ws_drop_after_s is not None:
            nursery.cancel_scope.deadline = trio.current_time() + faults.ws_drop_after_s
        request = await _handshake(nursery, stream)
        if request is not None and faults.ws_refuse_status is not None:
            await request.reject(faults.ws_refuse_status, body=b"refused")
        elif request is not None:
            with suppress(ConnectionClosed):
                await Session(source, await request.accept(), nursery).run()
        nursery.cancel_scope.cancel("the session is over")


async def _handshake(nursery: trio.Nursery, stream: trio.abc.Stream) -> WebSocketRequest | None:
    """None when there was none in time: trio-websocket answers a broken upgrade by itself and then waits for ever."""
    with trio.move_on_after(HANDSHAKE_S):
        return await wrap_server_stream(
            nursery, stream, message_queue_size=64, max_message_size=MAX_MESSAGE, receive_buffer_size=65536
        )
    return None


def _inside_json(failure: Failure | None) -> Failure | None:
    """The failure as it looks without HTTP around it."""
    if failure is None or failure.kind is not Kind.HTTP:
        return failure
    code, text = (429, "Too Many Requests") if failure.status == 429 else (-32603, f"HTTP {failure.status}")
    return attrs.evolve(failure, kind=Kind.RPC, code=code, message=text)
