"""JSON-RPC that did not come over the rpc lane (HTTP/2, mostly): the same handler, other framing.

What the lane does around the handler is done here too, so that both give the same answers: the byte budget before a
body is read, gzip both ways, refusals in JSON-RPC's words, a crash contained.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

import attrs
import structlog
import trio
from quart import Response, request
from quart_trio import QuartTrio
from werkzeug.exceptions import RequestEntityTooLarge, RequestTimeout

from lasso_trio.server.address_tally import address_of
from lasso_trio.server.answer import BODILESS, Answer, parts_of
from lasso_trio.server.answer_source import AnswerSource
from lasso_trio.server.asgi_guard import at_end
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.client_address import Network
from lasso_trio.server.connection import Peer
from lasso_trio.server.content_coding import accepts_gzip, compress, inflate
from lasso_trio.server.http_head import Head
from lasso_trio.server.http_request import HttpRequest
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.refusal import BadRequest, Kind, body_too_large
from lasso_trio.server.request_id import of_accident
from lasso_trio.server.rpc_answer import of_refusal
from lasso_trio.server.rpc_lane import Handler

ENDPOINT: Final = "rpc"

log = structlog.get_logger(__name__)


def serve(
    app: QuartTrio, handler: Handler, limits: LaneLimits, budget: ByteBudget, trusted: Sequence[Network] = ()
) -> None:
    """Let `app` answer POST and OPTIONS on `/rpc/…` as the lane would. `trusted`: proxies, nobody's address."""
    door = _Door(handler, limits, budget, trusted)

    @app.route("/rpc/<path:_>", endpoint=ENDPOINT, methods=["POST", "OPTIONS"], provide_automatic_options=False)
    async def rpc(_: str) -> Response:
        head = head_of_request()
        try:
            answer = await door.answer(head)
        except BadRequest as refusal:
            answer = of_refusal(refusal.status, refusal.kind)
        except Exception:
            answer = of_refusal(500, Kind.CRASHED)
            id_, answer.headers = of_accident(head.headers, answer.headers)
            log.exception("rpc.handler.crashed", method=head.method, request_id=id_)
        return await response_of(answer, head, limits.gzip_min_bytes)


@attrs.frozen(eq=False)
class _Door:
    handler: Handler
    limits: LaneLimits
    budget: ByteBudget
    trusted: Sequence[Network]

    async def answer(self, head: Head) -> Answer:
        """Raises BadRequest, and what the handler raises."""
        host = request.remote_addr or ""
        address = address_of(host, self.trusted)
        size = self._reserve(head, address)
        try:
            body = await _body()
            if head.content_encoding:
                body = await inflate(body, head.content_encoding, self.limits.max_body_bytes)
            return await self.handler(HttpRequest(head, body, trio.current_time()), Peer(host, 0))
        finally:
            self.budget.release(size, address)

    def _reserve(self, head: Head, address: str) -> int:
        known = request.content_length is not None and not head.content_encoding
        size = head.content_length if known else self.limits.unknown_body_charge
        if head.content_length > self.limits.max_body_bytes:
            raise body_too_large()
        if not self.budget.reserve(size, address):
            raise BadRequest(503, Kind.NO_CAPACITY, "byte budget used up")
        return size


async def _body() -> bytes:
    try:
        data = await request.get_data(cache=False, as_text=False)
    except RequestEntityTooLarge:
        raise body_too_large() from None
    except RequestTimeout:
        raise BadRequest(408, Kind.TIMEOUT, "the body came too slowly") from None
    assert isinstance(data, bytes)
    return data


def head_of_request() -> Head:
    """The request's head as the lane would have parsed it; its framing is done with by now."""
    query = request.query_string.decode("latin-1")
    headers = tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers)
    raw_path: bytes = request.scope.get("raw_path") or request.path.encode()
    coding = request.headers.get("content-encoding", "").lower()
    return Head(
        method=request.method,
        target=raw_path.decode("latin-1").partition("?")[0] + (f"?{query}" if query else ""),
        version=1,
        headers=headers,
        keep_alive=True,
        content_length=request.content_length or 0,
        chunked=False,
        expect_continue=False,
        upgrade=False,
        content_encoding=b"" if coding == "identity" else coding.encode("latin-1"),
        accepts_gzip=accepts_gzip(request.headers.get("accept-encoding", "").encode("latin-1")),
    )


async def response_of(answer: Answer, head: Head, gzip_min_bytes: int) -> Response:
    """`answer` as Quart sends it: compressed if `head` allows it and it is large enough."""
    size = sum(map(len, parts_of(answer.body))) if answer.stream is None else answer.length
    worth_it = (size is None or size >= gzip_min_bytes) and answer.status not in BODILESS
    gzip = worth_it and head.accepts_gzip
    response = Response(await _payload(answer, size, gzip), answer.status)
    del response.headers["content-type"]
    if answer.status in BODILESS:
        del response.headers["content-length"]
    for line in answer.headers.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(": ")
        if name:
            response.headers.add(name, value)
    if worth_it:
        response.headers.add("vary", "accept-encoding")
    if gzip:
        response.headers.add("content-encoding", "gzip")
    response.timeout = None  # `AsgiGuard` bounds every piece of it
    return response


async def _payload(answer: Answer, size: int | None, gzip: bool) -> bytes | AsyncIterator[bytes]:
    if answer.stream is not None:
        source = AnswerSource(answer, answer.stream, gzip=gzip)
        at_end(request.scope, source.aclose)  # the client may go before the first piece is asked for
        return _pieces(source)
    parts = parts_of(answer.body)
    return await compress(parts, size or 0) if gzip else b"".join(parts)


async def _pieces(source: AnswerSource) -> AsyncIterator[bytes]:
    try:
        while (piece := await source.next()) is not None:
            if piece:
                yield piece
    finally:
        await source.aclose()
