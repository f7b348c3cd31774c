"""The guard around the ASGI application. (On real connections: `tests/surface/test_http2.py`, `test_shutdown.py`.)"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from structlog.testing import capture_logs
from trio.testing import wait_all_tasks_blocked

from lasso_trio.server.answer_source import BrokenAnswer
from lasso_trio.server.asgi_guard import HELD_BACK, AsgiGuard, is_malformed
from lasso_trio.server.limits import LaneLimits

LIMITS = LaneLimits(max_body_bytes=100, linger_bytes=50, linger_timeout=2.0)
END = {"type": "http.request", "body": b"", "more_body": False}
START = {"type": "http.response.start", "status": 200}
CLOSING: dict[str, Any] = {**START, "headers": [(b"connection", b"close")]}
LAST = {"type": "http.response.body", "body": b""}
GONE = {"type": "http.disconnect"}

App = Callable[[Any, Any, Any], Awaitable[None]]


def piece(size: int) -> dict[str, Any]:
    return {"type": "http.request", "body": b"x" * size, "more_body": True}


@attrs.define(eq=False)
class Hypercorn:
    """As much of hypercorn's HTTPStream and H2Protocol as the guard touches, and both ends of an exchange."""

    sent: list[dict[str, Any]] = attrs.field(factory=list)
    reset: list[tuple[int, int]] = attrs.field(factory=list)
    flushed: int = 0
    stream_id: int = 5
    refuse: bool = False
    may_send: trio.Event = attrs.field(factory=trio.Event)
    to_app: Any = attrs.field(factory=lambda: trio.open_memory_channel[dict[str, Any]](100))

    @property
    def connection(self) -> Hypercorn:
        return self

    def reset_stream(self, stream_id: int, code: int) -> None:
        if self.refuse:
            raise ProtocolError
        self.reset.append((stream_id, code))

    async def _flush(self) -> None:
        self.flushed += 1

    async def send(self, _: object) -> None:
        raise NotImplementedError

    async def app_send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            await self.may_send.wait()
        self.sent.append(message)

    def say(self, *messages: dict[str, Any]) -> None:
        for message in messages:
            self.to_app[0].send_nowait(message)

    async def run(self, app: App, version: str = "2", type_: str = "http") -> None:
        scope = {"type": type_, "http_version": version}
        await AsgiGuard(app, LIMITS)(scope, self.to_app[1].receive, self.app_send)


async def answering(_: object, receive: Any, send: Any) -> None:
    """Like quart-trio: receives in one task, answers at once in another."""

    async def listen() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen)
        await send(START)
        await send(LAST)
        nursery.cancel_scope.cancel()


async def failing(_: object, receive: Any, send: Any) -> None:
    await receive()
    await send(START)
    raise ValueError("a mistake")


async def test_over_http2_an_answer_waits_for_the_end_of_the_body(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    node = Hypercorn()
    node.may_send.set()
    node.say(piece(10))
    nursery.start_soon(node.run, answering)
    await trio.sleep(LIMITS.linger_timeout - 0.1)
    assert node.sent == []
    node.say(END)
    await wait_all_tasks_blocked()
    assert node.sent == [START, LAST]


async def test_but_not_for_a_slow_one(nursery: trio.Nursery, autojump_clock: trio.testing.MockClock) -> None:
    node = Hypercorn()
    node.may_send.set()
    node.say(piece(10))
    nursery.start_soon(node.run, answering)
    await trio.sleep(LIMITS.linger_timeout + 0.1)
    assert node.sent == [START, LAST]


async def test_nor_for_a_long_one(nursery: trio.Nursery) -> None:
    node = Hypercorn()
    node.may_send.set()
    node.say(piece(75), piece(75))
    nursery.start_soon(node.run, answering)
    await wait_all_tasks_blocked()
    assert node.sent == []
    node.say(piece(1))
    await wait_all_tasks_blocked()
    assert node.sent == [START, LAST]


async def test_over_http1_an_answer_waits_for_nothing(nursery: trio.Nursery) -> None:
    node = Hypercorn()
    node.may_send.set()
    nursery.start_soon(node.run, answering, "1.1")
    await wait_all_tasks_blocked()
    assert node.sent == [CLOSING, LAST]


@pytest.mark.parametrize(("version", "start"), [("1.1", CLOSING), ("2", START)])
async def test_the_last_send_is_not_cancelled_by_the_disconnect_it_causes(
    nursery: trio.Nursery, version: str, start: dict[str, Any]
) -> None:
    node = Hypercorn()
    node.say(END)
    nursery.start_soon(node.run, answering, version)
    await wait_all_tasks_blocked()
    node.say(GONE)
    await wait_all_tasks_blocked()
    node.may_send.set()
    await wait_all_tasks_blocked()
    assert node.sent == [start, LAST]


async def test_a_send_that_is_stuck_is_cancelled_a_little_later(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    node = Hypercorn()
    node.say(END, GONE)
    with trio.fail_after(HELD_BACK + 0.1):
        await node.run(answering)
    assert node.sent == [START]


async def test_over_http2_an_answer_that_fails_is_reset() -> None:
    node = Hypercorn()
    node.say(END)
    with pytest.raises(ValueError, match="a mistake"):
        await node.run(failing)
    assert (node.reset, node.flushed) == ([(5, ErrorCodes.INTERNAL_ERROR)], 1)


async def breaking_off(scope: Any, receive: Any, send: Any) -> None:
    async with trio.open_nursery():
        await send(START)
        raise BrokenAnswer("its source failed", "req-1")


@pytest.mark.parametrize(("version", "resets"), [("2", [(5, ErrorCodes.INTERNAL_ERROR)]), ("1.1", [])])
async def test_an_answer_that_breaks_off_is_told_and_no_accident(version: str, resets: list[object]) -> None:
    node = Hypercorn()
    node.say(END)
    with capture_logs() as logs:
        await node.run(breaking_off, version)
    assert node.reset == resets
    told = [(log["event"], log["reason"], log["request_id"]) for log in logs]
    assert told == [("rpc.answer.broken", "its source failed", "req-1")]


async def test_what_fails_beside_it_is_one() -> None:
    async def failing_too(scope: Any, receive: Any, send: Any) -> None:
        raise ExceptionGroup("both", [BrokenAnswer("its source failed"), ValueError("a mistake")])

    node = Hypercorn()
    node.say(END)
    with pytest.raises(ExceptionGroup, match="both"):
        await node.run(failing_too)


async def test_a_stream_that_has_ended_cannot_be_reset_and_need_not() -> None:
    node = Hypercorn(refuse=True)
    node.say(END)
    with pytest.raises(ValueError, match="a mistake"):
        await node.run(failing)


async def test_over_http1_hypercorn_closes_the_connection_itself() -> None:
    node = Hypercorn()
    node.say(END)
    with pytest.raises(ValueError, match="a mistake"):
        await node.run(failing, "1.1")
    assert node.reset == []


async def test_websockets_are_left_alone() -> None:
    node = Hypercorn()
    seen: list[object] = []

    async def app(scope: object, receive: object, send: object) -> None:
        seen.extend([receive, send])

    await node.run(app, type_="websocket")
    assert seen == [node.to_app[1].receive, node.app_send]


@pytest.mark.parametrize(
    ("path", "host", "wrong"),
    [
        ("/a", b"node:80", False),
        ("", b"node", True),
        ("http://node", b"node", False),
        ("http://n]de/a", b"node", True),
        ("/a", b"n" * 64, True),
        ("/a", b"a..b", True),
        ("/a", b"", False),
    ],
)
def test_a_request_whose_target_or_host_cannot_be_one_is_malformed(path: str, host: bytes, wrong: bool) -> None:
    assert is_malformed({"path": path, "headers": [(b"host", host)]}) == wrong


@pytest.mark.parametrize(
    ("kind", "said"), [("http", ["http.response.start", "http.response.body"]), ("websocket", ["websocket.close"])]
)
async def test_a_malformed_request_does_not_reach_the_app(kind: str, said: list[str]) -> None:
    sent: list[str] = []

    async def app(*_: object) -> None:
        raise AssertionError("not to be asked")

    async def send(message: Any) -> None:
        await trio.lowlevel.checkpoint()
        sent.append(message["type"])

    scope = {"type": kind, "http_version": "1.1", "path": "", "headers": []}
    await AsgiGuard(app, LIMITS)(scope, trio.sleep_forever, send)
    assert sent == said
