"""JSON-RPC that did not come over the rpc lane (HTTP/2, mostly): the same handler, other framing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import trio
from quart import Response, request
from quart_trio import QuartTrio
from werkzeug.exceptions import RequestEntityTooLarge

from lasso_trio.server.answer import Answer, parts_of
from lasso_trio.server.connection import Peer
from lasso_trio.server.http_head import Head
from lasso_trio.server.http_request import HttpRequest
from lasso_trio.server.refusal import Kind
from lasso_trio.server.rpc import RpcHandler
from lasso_trio.server.rpc_answer import of_refusal


def serve(app: QuartTrio, handler: RpcHandler) -> None:
    @app.route("/rpc/<path:rest>", methods=["POST", "OPTIONS"], provide_automatic_options=False)
    async def rpc(rest: str) -> Response:
        try:
            body = cast("bytes", await request.get_data(as_text=False))
        except RequestEntityTooLarge:
            return _response(of_refusal(413, Kind.BODY_TOO_LARGE))
        peer = Peer(request.remote_addr or "", 0)
        return _response(await handler(HttpRequest(_head(), body, trio.current_time()), peer))


def _head() -> Head:
    """The request's head as the lane would have parsed it; framing and encodings are done with by now."""
    query = request.query_string.decode("latin-1")
    headers = tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers)
    raw_path: bytes = request.scope.get("raw_path") or request.path.encode()
    return Head(
        method=request.method,
        target=raw_path.decode("latin-1").partition("?")[0] + (f"?{query}" if query else ""),
        version=1,
        headers=headers,
        keep_alive=True,
        content_length=0,
        chunked=False,
        expect_continue=False,
        upgrade=False,
        content_encoding=b"",
        accepts_gzip=False,
    )


def _response(answer: Answer) -> Response:
    body = _pieces(answer) if answer.stream is not None else b"".join(parts_of(answer.body))
    response = Response(body, answer.status)
    del response.headers["content-type"]
    for line in answer.headers.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(": ")
        if name:
            response.headers.add(name, value)
    if answer.stream is not None:
        response.timeout = None
    return response


async def _pieces(answer: Answer) -> AsyncIterator[bytes]:
    for part in parts_of(answer.body):
        yield part
    stream = answer.stream
    assert stream is not None
    try:
        async for piece in stream:
            yield piece
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            with trio.CancelScope(deadline=trio.current_time() + 1.0, shield=True):
                await close()
