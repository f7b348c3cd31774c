"""Outcomes as HTTP answers: status, headers, metadata, body. No decisions are made here, and nothing is looked up."""

from __future__ import annotations

from math import inf
from typing import Final

import trio

from lasso_trio.jsonrpc.errors import (
    NULL_ID,
    RpcError,
    body_too_large,
    byte_budget_spent,
    internal_error,
    invalid_request,
    parse_error,
    rate_limited,
    restarting,
)
from lasso_trio.jsonrpc.request import Request
from lasso_trio.routing.service import Served
from lasso_trio.server import request_id
from lasso_trio.server.answer import Answer
from lasso_trio.server.batch import BatchResult
from lasso_trio.server.call_facts import meta_member, meta_of, with_members
from lasso_trio.server.exchange import Exchange
from lasso_trio.server.large_body import LargeBody
from lasso_trio.server.refusal import Kind
from lasso_trio.server.routes import Meta
from lasso_trio.telemetry.meta import meta_headers

_EXPOSED: Final = b"x-request-id, x-lasso-request-id, x-lasso-meta, x-lasso-cache, server-timing, retry-after"
CORS: Final = b"access-control-allow-origin: *\r\naccess-control-expose-headers: %b\r\n" % _EXPOSED
_JSON: Final = b"content-type: application/json; charset=utf-8\r\n" + CORS
_PREFLIGHT: Final = CORS + (
    b"access-control-allow-methods: GET, POST, OPTIONS\r\n"
    b"access-control-allow-headers: content-type, authorization, x-requested-with, x-request-id, x-lasso-provider, "
    b"x-lasso-api-key, "
    b"x-lasso-transport, x-lasso-include-meta, x-lasso-session, x-lasso-min-block, "
    b"x-lasso-explain, x-lasso-hedge, x-lasso-cache, x-request-deadline-ms, traceparent, tracestate\r\n"
    b"access-control-max-age: 86400\r\n"
)
_NOT_FOUND: Final = b'{"errors":{"detail":"Not Found"}}'


def _headers(request_id: str, upstream_s: float, total_s: float, lines: bytes = _JSON) -> bytes:
    return b"%bx-request-id: %b\r\nserver-timing: upstream;dur=%.3f, total;dur=%.3f\r\n" % (
        lines,
        request_id.encode(),
        upstream_s * 1000,
        total_s * 1000,
    )


def preflight(request_id: str) -> Answer:
    return Answer(204, _headers(request_id, 0.0, 0.0, _PREFLIGHT))


def not_found(request_id: str) -> Answer:
    return Answer(404, _headers(request_id, 0.0, 0.0), _NOT_FOUND)


def of_error(error: RpcError, request_id: str, id_: bytes = NULL_ID) -> Answer:
    return Answer(error.status, _headers(request_id, 0.0, 0.0), error.encode(id_))


def of_local_error(exchange: Exchange, request: Request, error: RpcError) -> Answer:
    """The answer to one checked request that nobody was asked to serve; nothing for a notification."""
    if request.id is None:
        return Answer(204, _headers(exchange.request_id, 0.0, 0.0))
    return of_error(error, exchange.request_id, request.id)


def limited(rate: int, wait_s: float, request_id: str, id_: bytes) -> Answer:
    """HTTP 429. `Retry-After` has whole seconds (RFC 9110, 10.2.3), the body says it in milliseconds."""
    error = rate_limited(rate, int(wait_s * 1000) + 1)
    lines = b"%bretry-after: %d\r\n" % (_headers(request_id, 0.0, 0.0), int(wait_s) + 1)
    return Answer(error.status, lines, error.encode(id_))


def of_refusal(status: int, kind: Kind) -> Answer:
    """The lane's own refusals (too large, malformed, too slow), in JSON-RPC's words."""
    error = {
        Kind.BODY_TOO_LARGE: body_too_large,
        Kind.NO_CAPACITY: byte_budget_spent,
        Kind.RESTARTING: restarting,
        Kind.CRASHED: internal_error,
        Kind.BAD_REQUEST: parse_error,
        Kind.BAD_ENCODING: parse_error,
    }.get(kind, lambda: invalid_request(kind.value.replace("_", " ")))()
    return Answer(status, _headers(request_id.made(), 0.0, 0.0), error.encode())


def of_call(exchange: Exchange, request: Request, served: Served, ended: float) -> Answer:
    outcome = served.outcome
    headers = _headers(exchange.request_id, outcome.upstream_s, ended - exchange.started)
    if outcome.cache:
        headers += b"x-lasso-cache: %b\r\n" % outcome.cache.encode()
    wish = exchange.route.wish
    if wish.deadline_s is not None:
        allowed = min(wish.deadline_s, exchange.route.routed_chain.budget_s(request.method))
        headers += b"server-timing: timeout;dur=%.3f\r\n" % (allowed * 1000)
    extra = b""
    if exchange.route.meta is not Meta.NONE:
        meta = meta_of(exchange, request, served, ended)
        if exchange.route.meta is Meta.HEADERS:
            headers += meta_headers(exchange.request_id, meta)
        else:
            extra = meta_member(meta)
    if request.id is None:
        return Answer(204, headers)
    if outcome.large is not None:
        until = inf if wish.deadline_s is None else exchange.started + wish.deadline_s
        body = LargeBody(outcome.large, extra, until)
        return Answer(200, headers, outcome.large.json.first, stream=body, length=body.length)
    if outcome.error is not None:
        return Answer(outcome.error.status, headers, with_members(outcome.error.encode(request.id), extra))
    assert outcome.reply is not None
    return Answer(200, headers, with_members(outcome.reply.splice(request.id), extra))


def of_text(exchange: Exchange, body: bytes) -> Answer:
    """JSON that is made already, for which nobody was asked."""
    return Answer(200, _headers(exchange.request_id, 0.0, trio.current_time() - exchange.started), body)


def of_batch(exchange: Exchange, batch: BatchResult, ended: float) -> Answer:
    """A JSON array in the order of the requests; 204 when all were notifications. The metadata of headers is the
    first call's.
    """
    upstream_s = batch.first[1].outcome.upstream_s if batch.first else 0.0
    headers = _headers(exchange.request_id, upstream_s, ended - exchange.started)
    if exchange.route.meta is Meta.HEADERS and batch.first is not None:
        headers += meta_headers(exchange.request_id, meta_of(exchange, *batch.first, ended))
    answers = [answer for answer in batch.answers if answer is not None]
    if not answers:
        return Answer(204, headers)
    return Answer(200, headers, b"[%b]" % b",".join(answers))
