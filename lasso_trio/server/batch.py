"""A batch: its calls side by side, its answers in order, one provider preferred for all of them.

Reads of one batch belong together: sent to one provider they see one head (providers differ by a block or two, and more
when one lags). It is a preference only: each call fails over by itself. A call that crashes (a mistake of ours) is
contained here: the others are answered as if it were not there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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

Record = Callable[[Exchange, Request, Served, float], None]
"""Told of every finished call: `(exchange, request, served, ended)`. Must be cheap and must not raise."""

log = structlog.get_logger(__name__)


@attrs.define(eq=False)
class BatchResult:
    """One of each per item, in order. `answers`: None for a notification; `done`: None for what was not carried out."""

    answers: list[bytes | None]
    done: list[tuple[Request, Served] | None]

    @property
    def first(self) -> tuple[Request, Served] | None:
        """The first call that was carried out, for metadata."""
        return next((call for call in self.done if call is not None), None)


async def run_batch(
    service: Service, record: Record, exchange: Exchange, items: Sequence[Request | Invalid], most_bytes: int
) -> BatchResult:
    """Carry out all items at once; each has its own deadline from the batch's admission.

    All results together may have `most_bytes`; a call whose result does not fit any more is answered with an error.
    """
    result = BatchResult([None] * len(items), [None] * len(items))
    prefer, room = _preferred(service, exchange, items), Room(most_bytes)
    async with trio.open_nursery() as calls:
        for position, item in enumerate(items):
            if isinstance(item, Invalid):
                result.answers[position] = item.error.encode(item.id)
            elif item.method.name in WEBSOCKET_ONLY:
                result.answers[position] = _answered(item, websocket_only(exchange.route.path).encode(item.reply_id))
            else:
                calls.start_soon(_one, service, record, exchange, item, position, prefer, room, result)
    return result


async def _one(
    service: Service,
    record: Record,
    exchange: Exchange,
    request: Request,
    position: int,
    prefer: Candidate | None,
    room: Room,
    result: BatchResult,
) -> None:
    try:
        served = await _serve(service, exchange, request, prefer, room)
        ended = trio.current_time()
        record(exchange, request, served, ended)
        text = _text(exchange, request, served, ended)
    except Exception:
        log.exception("batch.call_crashed", method=request.method.row, request_id=exchange.request_id)
        result.answers[position] = _answered(request, internal_error().encode(request.reply_id))
        return
    result.done[position] = (request, served)
    result.answers[position] = _answered(request, text)


async def _serve(
    service: Service, exchange: Exchange, request: Request, prefer: Candidate | None, room: Room
) -> Served:
    route = exchange.route
    return await service.serve(
        route.routed_chain, route.wish, request, exchange.started, stream=False, prefer=prefer, room=room
    )


def _text(exchange: Exchange, request: Request, served: Served, ended: float) -> bytes:
    text = _plain_text(served.outcome, request.reply_id)
    if exchange.route.meta is not Meta.BODY:
        return text
    return with_members(text, meta_member(meta_of(exchange, request, served, ended)))


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
