"""RPC through the Quart application, with a handler that does as it is told. (Against the lane: `tests/surface`.)"""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import trio
from quart.typing import TestClientProtocol as WebClient
from quart_trio import QuartTrio
from structlog.testing import capture_logs

from lasso_trio.server import rpc_over_asgi
from lasso_trio.server.answer import Answer
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.connection import Peer
from lasso_trio.server.http_request import HttpRequest
from lasso_trio.server.limits import LaneLimits

Handle = Callable[[HttpRequest, Peer], Awaitable[Answer]]
LIMITS = LaneLimits(max_body_bytes=1000, gzip_min_bytes=100, unknown_body_charge=5000, body_timeout=3.0)


def client(handle: Handle, budget: ByteBudget | None = None) -> WebClient:
    app = QuartTrio("test", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LIMITS.max_body_bytes
    app.config["BODY_TIMEOUT"] = LIMITS.body_timeout
    rpc_over_asgi.serve(app, handle, LIMITS, budget or ByteBudget())
    return app.test_client()


async def echo(http: HttpRequest, _: Peer) -> Answer:
    return Answer(200, b"content-type: text/x\r\nx-two: a\r\nx-two: b\r\n", http.body)


async def test_the_handler_sees_the_request_as_from_the_lane() -> None:
    seen: list[tuple[HttpRequest, Peer]] = []

    async def look(http: HttpRequest, peer: Peer) -> Answer:
        seen.append((http, peer))
        return Answer(204)

    target = "/rpc/d%C3%A9v%2Fx/a b?x=1&y=%20"
    await client(look).post(target, data=b"{}", headers={"X-Lasso-Provider": "alpha", "Accept-Encoding": "gzip"})
    ((http, peer),) = seen
    assert http.head.method == "POST"
    assert http.head.target.endswith("?x=1&y=%20")
    assert http.head.header(b"x-lasso-provider") == b"alpha"
    assert http.head.accepts_gzip
    assert http.body == b"{}"
    assert abs(http.received_at - trio.current_time()) < 60
    assert isinstance(peer.host, str)


async def test_an_answer_is_given_as_it_is() -> None:
    answer = await client(echo).post("/rpc/eth", data=b"hello")
    assert (answer.status_code, await answer.get_data(as_text=False)) == (200, b"hello")
    assert answer.headers["content-type"] == "text/x"
    assert answer.headers.getlist("x-two") == ["a", "b"]
    assert "vary" not in answer.headers


async def test_bodies_are_inflated_within_the_limit() -> None:
    inflated = {"content-encoding": "gzip"}
    answer = await client(echo).post("/rpc/eth", data=gzip.compress(b"{}" * 50), headers=inflated)
    assert await answer.get_data(as_text=False) == b"{}" * 50
    for body, headers, status in (
        (gzip.compress(b"x" * 1001), inflated, 413),
        (b"nonsense", inflated, 400),
        (b"{}", {"content-encoding": "br"}, 415),
    ):
        answer = await client(echo).post("/rpc/eth", data=body, headers=headers)
        assert answer.status_code == status
        assert (await answer.get_json())["id"] is None
    answer = await client(echo).post("/rpc/eth", data=b"{}", headers={"content-encoding": "identity"})
    assert await answer.get_data(as_text=False) == b"{}"


async def test_large_answers_are_compressed_for_those_who_ask() -> None:
    for size, encoding, vary in ((99, None, None), (100, "gzip", "accept-encoding")):
        answer = await client(echo).post("/rpc/eth", data=b"x" * size, headers={"accept-encoding": "gzip"})
        assert (answer.headers.get("content-encoding"), answer.headers.get("vary")) == (encoding, vary)
        data = await answer.get_data(as_text=False)
        assert (gzip.decompress(data) if encoding else data) == b"x" * size
    answer = await client(echo).post("/rpc/eth", data=b"x" * 100)
    assert (answer.headers.get("content-encoding"), answer.headers["vary"]) == (None, "accept-encoding")


class Stream:
    """Three pieces; whether it was closed."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        if not self.pieces:
            raise StopAsyncIteration
        return self.pieces.pop(0)

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_a_streamed_answer_is_whole_and_closed(encoding: str) -> None:
    stream = Stream(b"b" * 300, b"", b"c")

    async def streaming(_: HttpRequest, __: Peer) -> Answer:
        return Answer(200, b"", b"a", stream=stream, length=302)

    answer = await client(streaming).post("/rpc/eth", data=b"{}", headers={"accept-encoding": encoding})
    data = await answer.get_data(as_text=False)
    assert (gzip.decompress(data) if encoding == "gzip" else data) == b"a" + b"b" * 300 + b"c"
    assert stream.closed


async def test_too_large_a_body_is_refused_before_it_costs_budget() -> None:
    budget = ByteBudget(1)
    answer = await client(echo, budget).post("/rpc/eth", data=b"x" * 1001, headers={"content-length": "1001"})
    assert (answer.status_code, (await answer.get_json())["error"]["code"]) == (413, -32600)
    assert budget.refused == 0
    answer = await client(echo).post("/rpc/eth", data=b"x" * 1001)  # its length not declared
    assert (answer.status_code, (await answer.get_json())["error"]["code"]) == (413, -32600)


async def test_the_budget_is_charged_while_a_call_is_served_and_given_back() -> None:
    budget = ByteBudget(10_000)
    used = []

    async def look(_: HttpRequest, __: Peer) -> Answer:
        used.append(budget.used)
        raise ZeroDivisionError

    with capture_logs() as logs:
        answer = await client(look, budget).post("/rpc/eth", data=b"x" * 1000, headers={"content-length": "1000"})
    assert (used, budget.used) == ([4096], 0)
    assert answer.status_code == 500
    assert (await answer.get_json())["error"] == {"code": -32603, "message": "Internal error"}
    assert [(line["event"], line["request_id"]) for line in logs] == [
        ("rpc.handler.crashed", answer.headers["x-request-id"])
    ]
    with capture_logs():
        await client(look, budget).post("/rpc/eth", data=gzip.compress(b"x"), headers={"content-encoding": "gzip"})
    assert used[1] == 5000  # its size is not known beforehand


async def test_a_full_budget_refuses() -> None:
    answer = await client(echo, ByteBudget(4095)).post("/rpc/eth", data=b"{}")
    assert (answer.status_code, (await answer.get_json())["error"]["code"]) == (503, -32008)


async def test_a_body_that_does_not_come_is_given_up(autojump_clock: trio.testing.MockClock) -> None:
    budget = ByteBudget()
    async with client(echo, budget).request("/rpc/eth", method="POST") as connection:
        await connection.send(b"{")
        await trio.sleep(LIMITS.body_timeout + 0.1)
        answer = await connection.as_response()
    assert answer.status_code == 408
    assert budget.used == 0


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_only_post_is_for_the_handler(method: str) -> None:
    answer = await client(echo).open("/rpc/eth", method=method)
    assert answer.status_code == 405
