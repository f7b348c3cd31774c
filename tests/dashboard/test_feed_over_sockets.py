"""Snapshots as browsers get them: through hypercorn, and past it, on one connection."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Any

import attrs
import h11
import pytest
import trio

from lasso_trio.dashboard import feed
from lasso_trio.server.connection import Peer
from lasso_trio.server.hypercorn_lane import HypercornLane
from lasso_trio.server.replay_stream import ReplayStream
from lasso_trio.upstream.raw_stream import RawStream
from tests.dashboard.webs import Web, web_of


@attrs.define(eq=False)
class Browser:
    """`stream` is its end of the connection, `served` the node's."""

    stream: RawStream
    served: RawStream
    parser: h11.Connection = attrs.field(factory=lambda: h11.Connection(h11.CLIENT))
    text: bytes = b""
    ended: bool = False

    def ask(self, path: str = "/dashboard/events/public", method: str = "GET") -> None:
        request = h11.Request(method=method, target=path, headers=[("host", "node")])
        self.stream.send_now(self.parser.send(request) or b"")
        self.parser.send(h11.EndOfMessage())

    @property
    def ticks(self) -> list[int]:
        return [int(found) for found in re.findall(rb'"tick":(\d+),', self.text)]

    async def read_until(self, many: int) -> None:
        """Until there were so many snapshots, or the answer is over. Raises when it is not well-formed."""
        while self.text.count(b"event: snapshot") < many and not self.ended:
            event: Any = self.parser.next_event()
            if event is h11.NEED_DATA:
                self.parser.receive_data(await self.stream.receive_some())
            elif isinstance(event, h11.Data):
                self.text += event.data
            self.ended = isinstance(event, h11.EndOfMessage)


@pytest.fixture
def browser() -> Iterator[Browser]:
    ours, theirs = socket.socketpair()
    made = Browser(RawStream(ours), RawStream(theirs))
    yield made
    made.stream.close()
    made.served.close()


@pytest.fixture
async def web(monkeypatch: pytest.MonkeyPatch) -> Web:
    monkeypatch.setattr(feed, "TICK_S", 0.01)
    return web_of()


async def serve(web: Web, browser: Browser) -> None:
    async with trio.open_nursery() as nursery:
        lane = HypercornLane(web.app)
        await nursery.start(lane.run)
        nursery.start_soon(web.dashboard.run)
        await lane.lane(ReplayStream(browser.served, b""), Peer("127.0.0.1", 1))
        nursery.cancel_scope.cancel()


async def test_what_goes_past_the_web_stack_is_one_well_formed_answer_to_its_end(
    web: Web, browser: Browser, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[bytes] = []
    put = feed.Viewer.put

    def noted(viewer: feed.Viewer, text: bytes) -> None:
        woken.append(text)
        put(viewer, text)

    monkeypatch.setattr(feed.Viewer, "put", noted)
    nursery.start_soon(serve, web, browser)
    with trio.fail_after(10):
        browser.ask()
        await browser.read_until(3)  # the first may come while the stream begins
        woken.clear()
        await browser.read_until(20)
        assert woken == []
        web.dashboard.close()
        await browser.read_until(1_000)
    assert browser.ended
    assert browser.text.startswith(feed.HELLO)
    assert browser.text.endswith(b'event: bye\ndata: {"reason":"draining"}\n\n')
    assert browser.ticks == sorted(set(browser.ticks))


async def test_who_stops_reading_goes_on_where_the_bytes_ended(
    web: Web, browser: Browser, nursery: trio.Nursery
) -> None:
    nursery.start_soon(serve, web, browser)
    with trio.fail_after(10):
        browser.ask()
        await browser.read_until(1)
        (viewer,) = web.dashboard.feed.viewers
        while viewer.slot is None:  # noqa: ASYNC110  (nothing announces that the kernel's buffer is full)
            await trio.sleep(0.01)
        missed = web.dashboard.feed.tick + 3
        while web.dashboard.feed.tick < missed:  # noqa: ASYNC110  (nor that)
            await trio.sleep(0.01)
        while max(browser.ticks) <= missed:
            await browser.read_until(len(browser.ticks) + 1)
    assert browser.ticks == sorted(browser.ticks)
    assert len(browser.ticks) < missed


async def test_who_goes_is_no_viewer_any_more(web: Web, browser: Browser, nursery: trio.Nursery) -> None:
    nursery.start_soon(serve, web, browser)
    with trio.fail_after(10):
        browser.ask()
        await browser.read_until(3)
        browser.stream.close()
        while web.dashboard.feed.viewers:  # noqa: ASYNC110  (nothing announces it)
            await trio.sleep(0.01)


async def test_a_head_alone_has_no_events_after_it(web: Web, browser: Browser, nursery: trio.Nursery) -> None:
    nursery.start_soon(serve, web, browser)
    with trio.fail_after(10):
        browser.ask(method="HEAD")
        while web.dashboard.feed.tick < 5:  # noqa: ASYNC110  (nothing announces it)
            await trio.sleep(0.01)
        web.dashboard.close()
        text = b""
        while data := await browser.stream.receive_some():
            text += data
    head, _, body = text.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert body == b""
