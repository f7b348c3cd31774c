"""The guard over a fake hypercorn: clients that go, at whatever point, and clients that stay and take nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import trio
from quart_trio import QuartTrio
from structlog.testing import capture_logs
from trio.testing import wait_all_tasks_blocked

from lasso_trio.server import rpc_over_asgi
from lasso_trio.server.answer import Answer
from lasso_trio.server.asgi_guard import AsgiGuard
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.connection import Peer
from lasso_trio.server.http_request import HttpRequest
from lasso_trio.server.limits import LaneLimits

Message = dict[str, Any]
LIMITS = LaneLimits(write_timeout=30.0)


class Pieces(AsyncIterator[bytes]):
    """An answer's stream that must be closed."""

    def __init__(self) -> None:
        self.closed = 0

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        return b"x" * 65_536

    async def aclose(self) -> None:
        self.closed += 1


def app_streaming(pieces: Pieces) -> AsgiGuard:
    async def handler(_: HttpRequest, __: Peer) -> Answer:
        return Answer(200, b"content-type: text/plain\r\n", stream=pieces)

    app = QuartTrio("test")
    rpc_over_asgi.serve(app, handler, LIMITS, ByteBudget())
    return AsgiGuard(app, LIMITS)


def scope() -> Message:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/rpc/devnet",
        "raw_path": b"/rpc/devnet",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"node"), (b"content-length", b"2")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "extensions": {},
    }


def client(gone: trio.Event) -> Callable[[], Awaitable[Message]]:
    messages = iter([{"type": "http.request", "body": b"{}", "more_body": False}])

    async def receive() -> Message:
        for message in messages:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    return receive


@pytest.mark.parametrize("stuck_at", ["http.response.start", "http.response.body"])
async def test_a_streamed_answer_is_closed_when_the_client_goes_at_whatever_point(
    autojump_clock: trio.testing.MockClock, stuck_at: str
) -> None:
    pieces, gone = Pieces(), trio.Event()

    async def send(message: Message) -> None:
        if message["type"] == stuck_at:
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(app_streaming(pieces), scope(), client(gone), send)
        await wait_all_tasks_blocked()
        assert not pieces.closed
        gone.set()
    assert pieces.closed


@pytest.mark.parametrize("stuck_at", ["http.response.start", "http.response.body"])
async def test_a_client_that_stays_and_takes_nothing_is_given_up_in_the_end(
    autojump_clock: trio.testing.MockClock, stuck_at: str
) -> None:
    pieces = Pieces()

    async def send(message: Message) -> None:
        if message["type"] == stuck_at:
            await trio.sleep_forever()

    with trio.fail_after(LIMITS.write_timeout + 1):
        await app_streaming(pieces)(scope(), client(trio.Event()), send)
    assert pieces.closed


async def test_whom_it_gave_up_is_logged_without_the_key_in_the_path(autojump_clock: trio.testing.MockClock) -> None:
    async def send(_: Message) -> None:
        await trio.sleep_forever()

    path = "/rpc/k/a-key-of-their-own/devnet"
    asked = {**scope(), "path": path, "raw_path": path.encode()}
    with capture_logs() as logs:
        await app_streaming(Pieces())(asked, client(trio.Event()), send)
    assert [(line["event"], line["path"]) for line in logs] == [("web.client_stalled", "/rpc/k/***/devnet")]


async def test_a_client_that_takes_a_little_at_a_time_is_served(autojump_clock: trio.testing.MockClock) -> None:
    pieces, taken = Pieces(), 0

    async def send(message: Message) -> None:
        nonlocal taken
        await trio.sleep(LIMITS.write_timeout - 1)
        taken += len(message.get("body", b""))

    with trio.move_on_after(10 * LIMITS.write_timeout):
        await app_streaming(pieces)(scope(), client(trio.Event()), send)
    assert taken >= 5 * 65_536
    assert pieces.closed
