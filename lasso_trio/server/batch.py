"""A batch: its calls side by side, its answers in order, one provider preferred for all of them.

Reads of one batch belong together: sent to one provider they see one head (providers differ by a block or two, and more
when one lags). It is a preference only: each call fails over by itself. A call that crashes (a mistake of ours) is
contained here: the others are answered as if it were not there.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

import attrs
import structlog
import trio

from lasso_trio.jsonrpc.errors import internal_error, websocket_only
from lasso_trio.jsonrpc.methods import WEBSOCKET_ONLY
from lasso_trio.jsonrpc.request import Invalid, Request
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.room import Room
from lasso_trio.routing.service import Served, Service
from lasso_trio.server.call_facts import meta_member, meta_of, with_members
from lasso_trio.server.exchange import Exchange
from lasso_trio.server.routes import Meta
from lasso_trio.server.turns import Turns

Record = Callable[[Exchange, Request, Served, float], None]
"""Told of every finished call: `(exchange, request, served, ended)`. Must be cheap and must not raise."""

log = structlog.get_logger(__name__)


@attrs.define(eq=False)
class BatchResult:
    """One of each per item, in order. `answers`: None for a notification; `done`: None for what was not carried out.

    `beside`: the metadata of the calls for which it is to be told apart from the answer.
    """

    answers: list[bytes | None]
    done: list[tuple[Request, Served] | None]
    beside: dict[int, bytes] = attrs.field(factory=dict)

    @property
    def first(self) -> tuple[Request, Served] | None:
        """The first call that was carried out, for metadata."""
        return next((call for call in self.done if call is not None), None)


async def run_batch(
    service: Service,
    record: Record,
    exchange: Exchange,
    items: Sequence[Request | Invalid],
    room: Room,
    turns: Turns | None = None,
    beside: Container[int] = (),
) -> BatchResult:
    """Carry out all items at once; each has its own deadline from the batch's admission.

    All results together are held in `room`; a call whose result does not fit any more is answered with an error. With
    `turns` a call waits for its own, and its time counts from there. `beside`: positions whose metadata is told apart.
    """
    result = BatchResult([None] * len(items), [None] * len(items))
    prefer = _preferred(service, exchange, items)
    batch = _Batch(service, record, exchange, prefer, room, turns, beside, result)
    async with trio.open_nursery() as calls:
        for position, item in enumerate(items):
            if isinstance(item, Invalid):
                result.answers[position] = item.error.encode(item.id)
            elif item.method.name in WEBSOCKET_ONLY:
                result.answers[position] = _answered(item, websocket_only(exchange.route.path).encode(item.reply_id))
            else:
                calls.start_soon(batch.one, item, position)
    return result


@attrs.define(eq=False)
class _Batch:
    service: Service
    record: Record
    exchange: Exchange
    prefer: Candidate | None
    room: Room
    turns: Turns | None
    beside: Container[int]
    result: BatchResult

    async def one(self, request: Request, position: int) -> None:
        if self.turns is None:
            await self._contained(self.exchange, request, position)
            return
        waited, exchange = await self.turns.take(), self.exchange
        try:
            if waited:
                exchange = attrs.evolve(exchange, started=trio.current_time())
            await self._contained(exchange, request, position)
        finally:
            self.turns.give_back()

    async def _contained(self, exchange: Exchange, request: Request, position: int) -> None:
        result = self.result
        try:
            served = await self._serve(exchange, request)
            ended = trio.current_time()
            self.record(exchange, request, served, ended)
            text = self._text(exchange, request, served, ended, position)
        except Exception:
            log.exception("batch.call_crashed", method=request.method.row, request_id=exchange.request_id)
            result.answers[position] = _answered(request, internal_error().encode(request.reply_id))
            return
        result.done[position] = (request, served)
        result.answers[position] = _answered(request, text)

    async def _serve(self, exchange: Exchange, request: Request) -> Served:
        route = exchange.route
        return await self.service.serve(
            route.routed_chain,
            route.wish,
            request,
            exchange.started,
            stream=False,
            prefer=self.prefer,
            room=self.room,
        )

    def _text(self, exchange: Exchange, request: Request, served: Served, ended: float, position: int) -> bytes:
        text = _plain_text(served.outcome, request.reply_id)
        if position in self.beside:
            self.result.beside[position] = meta_of(exchange, request, served, ended)
        elif exchange.route.meta is Meta.BODY:
            return with_members(text, meta_member(meta_of(exchange, request, served, ended)))
        return text


def _plain_text(outcome: Outcome, id_: bytes) -> bytes:
    if outcome.error is not None:
        return outcome.error.encode(id_)
    assert outcome.reply is not None, "a call of a batch is not streamed"
    return outcome.reply.splice(id_)


def _answered(request: Request, text: bytes | None) -> bytes | None:
    return None if request.id is None else text


def _preferred(service: Service, exchange: Exchange, items: Sequence[Request | Invalid]) -> Candidate | None:
    """Whoever would be asked first for the first read. What is answered here knows nothing of anybody's speed."""
    route = exchange.route
    for item in items:
        if (
            isinstance(item, Request)
            and item.method.replay_safe
            and item.method.name not in route.routed_chain.answered_here
        ):
            return service.choose(route.routed_chain, route.wish, item, exchange.started)
    return None
