"""Calls over a WebSocket: one message in, the text of its answer out, the same as over HTTP.

The same decoding, client limit, service and records; what differs is the framing: no statuses, no headers. Metadata
comes in the answer (`include_meta=body`), or behind it as a `lasso_meta` notification: for a request that says
`"lasso_meta":"notify"`, or for all with `include_meta=headers`. Results are held whole, within the socket's room.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

import attrs
import msgspec
import structlog
import trio

from lasso_trio.access.gates import Gates
from lasso_trio.config.settings import Settings
from lasso_trio.jsonrpc.errors import RpcError, internal_error, invalid_request, rate_limited
from lasso_trio.jsonrpc.methods import WEBSOCKET_ONLY
from lasso_trio.jsonrpc.request import Invalid, Request
from lasso_trio.routing.client_limit import client_key
from lasso_trio.routing.room import Room
from lasso_trio.routing.service import Served, Service
from lasso_trio.server import request_id
from lasso_trio.server.batch import Record, run_batch
from lasso_trio.server.call_facts import meta_member, meta_of, with_members
from lasso_trio.server.exchange import Exchange
from lasso_trio.server.explanation import explanation
from lasso_trio.server.routes import Meta, Route
from lasso_trio.server.turns import Turns
from lasso_trio.server.ws_limits import WsCounters
from lasso_trio.server.ws_routes import tells_beside

_ASKS: Final = b'"lasso_meta"'
_NOTIFICATION: Final = b'{"jsonrpc":"2.0","method":"lasso_meta","params":%b}'

log = structlog.get_logger(__name__)


class _Wants(msgspec.Struct):
    lasso_meta: object = None


_decode_wants = msgspec.json.Decoder(_Wants).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


def asks_for_meta(message: bytes) -> bool:
    """Whether a message has the member `"lasso_meta": "notify"`."""
    if _ASKS not in message:
        return False
    try:
        return _decode_wants(message).lasso_meta == "notify"
    except (msgspec.DecodeError, RecursionError):
        return False


def who_asks_for_meta(batch: bytes) -> Container[int]:
    """The positions of a batch's items that have that member; none where it cannot be read as a JSON array."""
    if _ASKS not in batch:
        return ()
    try:
        items = _decode_items(batch)
    except (msgspec.DecodeError, RecursionError):
        return ()
    return [position for position, item in enumerate(items) if asks_for_meta(bytes(item))]


class Share(Room):
    """What one call holds of a socket's room. `release` gives it back when the answer is written."""

    def __init__(self, room: Room) -> None:
        super().__init__(room.left)
        self._room = room
        self._held = 0

    def take(self, size: int) -> None:
        """Raises TooLarge, and takes nothing, when the room has not so much left."""
        self._room.take(size)
        self._held += size

    def give_back(self, size: int) -> None:
        self._room.give_back(size)
        self._held -= size

    def release(self) -> None:
        self.give_back(self._held)


@attrs.define(eq=False)
class Answered:
    """`text`: one JSON text, or None for notifications. `meta`: what is to follow it, for its own message."""

    text: bytes | None
    meta: bytes | None = None

    @property
    def texts(self) -> list[bytes]:
        """What is to be sent, in its order."""
        return [text for text in (self.text, self.meta) if text is not None]


@attrs.define(eq=False)
class Unary:
    """What all sockets share. `record` is told of every call that was carried out."""

    service: Service
    settings: Settings
    record: Record
    counters: WsCounters
    gates: Gates = attrs.field(factory=Gates)

    def limited(self, route: Route, host: str, calls: int) -> RpcError | None:
        """Count `calls` against their client's limit; the error when that is used up."""
        limit, now = route.routed_profile.limit, trio.current_time()
        if route.guard is None:
            wait = limit.take(client_key(host), calls, now)
        else:
            limit, wait = route.guard.take(limit, host, calls, now)
        if not wait:
            return None
        route.routed_chain.counts.limited += calls
        return rate_limited(limit.rate, int(wait * 1000) + 1)

    async def one(self, route: Route, request: Request, room: Room, *, meta: bool) -> Answered:
        """Carry out one call. `meta`: tell of it beside the answer. Raises only Cancelled."""
        exchange = Exchange(route, request_id.made(), trio.current_time())
        try:
            return await self._one(exchange, request, room, meta or tells_beside(route))
        except Exception:
            return self._crashed(exchange, request)

    def _crashed(self, exchange: Exchange, request: Request) -> Answered:
        """To be called where the exception is caught."""
        self.counters.call_crashes += 1
        log.exception("ws.call_crashed", method=request.method.row, request_id=exchange.request_id)
        return Answered(_unless_notification(request, internal_error().encode(request.reply_id)))

    async def _one(self, exchange: Exchange, request: Request, room: Room, beside: bool) -> Answered:
        route = exchange.route
        if route.explain:
            return _explained(self.service, exchange, request)
        served = await self.service.serve(
            route.routed_chain, route.wish, request, exchange.started, stream=False, room=room
        )
        ended = trio.current_time()
        self.record(exchange, request, served, ended)
        text = _text(served, request.reply_id)
        if not beside and route.meta is Meta.NONE:
            return Answered(_unless_notification(request, text))
        meta = meta_of(exchange, request, served, ended)
        if beside:
            return Answered(_unless_notification(request, text), _NOTIFICATION % meta)
        return Answered(_unless_notification(request, with_members(text, meta_member(meta))))

    def _explained_in_batch(self, exchange: Exchange, item: Request | Invalid) -> Answered:
        if isinstance(item, Invalid):
            return Answered(item.error.encode(item.id))
        try:
            return _explained(self.service, exchange, item)
        except Exception:
            return self._crashed(exchange, item)

    async def many(
        self, route: Route, items: list[Request | Invalid], room: Room, turns: Turns, meta: Container[int] = ()
    ) -> list[Answered]:
        """Carry out a batch's calls, none of which is a subscription's: the answers in order.

        Raises only Cancelled. `meta`: positions of the calls to tell of beside their answers.
        """
        exchange = Exchange(route, request_id.made(), trio.current_time())
        if route.explain:
            return [self._explained_in_batch(exchange, item) for item in items]
        beside = range(len(items)) if tells_beside(route) else meta
        result = await run_batch(self.service, self.record, exchange, items, room, turns, beside)
        told = result.beside
        return [
            Answered(text, _NOTIFICATION % told[position] if position in told else None)
            for position, text in enumerate(result.answers)
        ]


def check_batch(items: list[Request | Invalid]) -> None:
    """Raises RpcError."""
    if not items:
        raise invalid_request()


def is_about_subscriptions(item: Request | Invalid) -> bool:
    """Whether it is `eth_subscribe` or `eth_unsubscribe`."""
    return isinstance(item, Request) and item.method.name in WEBSOCKET_ONLY


def _explained(service: Service, exchange: Exchange, request: Request) -> Answered:
    answer = explanation(service, exchange, request)
    assert isinstance(answer.body, bytes)
    return Answered(answer.body)


def _text(served: Served, id_: bytes) -> bytes:
    outcome = served.outcome
    if outcome.error is not None:
        return outcome.error.encode(id_)
    assert outcome.reply is not None, "calls over a WebSocket are not streamed"
    return outcome.reply.splice(id_)


def _unless_notification(request: Request, text: bytes) -> bytes | None:
    return None if request.id is None else text
