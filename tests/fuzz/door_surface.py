"""Whole connections: the real front door over memory streams, with every lane behind it.

`door`: any bytes, as the first on a connection. `websocket`: what comes behind a good handshake. `web`: requests that
hypercorn and the web application answer, the dashboard among them. The node's clock is virtual, so its time limits run
out at once where a client says nothing more.

A connection must end by itself after its client has ended; nothing may crash, contained or not.
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from socket import AF_INET
from typing import Any

import structlog
import trio
from trio.testing import memory_stream_pair

from lasso_trio.config.profile import Strategy
from lasso_trio.config.settings import Settings
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.jsonrpc.request import Request
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.service import Served
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.connection import Peer
from lasso_trio.server.front_door import FrontDoor, Other
from lasso_trio.server.hypercorn_lane import HypercornLane
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.replay_stream import ReplayStream
from lasso_trio.server.rpc import RpcHandler
from lasso_trio.server.rpc_answer import of_refusal
from lasso_trio.server.ws_lane import WsLane
from tests.dashboard.webs import web_of
from tests.fuzz import request_surface
from tests.fuzz.surface import AsyncFeed, Finding, Surface
from tests.server.ws_world import FakeHub, directory, handshake, nobody

PEER = Peer("203.0.113.5", 4711)
LIMITS = LaneLimits(max_body_bytes=65_536, max_connections=100, linger_bytes=65_536)
_PACKAGES = "/site-packages/"
_FOREIGN = re.compile(_PACKAGES + "(?:hypercorn|h2|hpack|hyperframe|h11|wsproto|priority)/")
MOST_SAID = 65_536
_STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3})")
_CODE = re.compile(rb'"code":(-?[0-9]+)')
SILENT = 211
"""Every so many inputs the client keeps its side open, so that a time limit must end the connection."""


class Answers:
    """A service whose every call is answered at once."""

    async def serve(self, chain: RoutedChain, wish: object, request: Request, now: float, **_: object) -> Served:
        await trio.lowlevel.checkpoint()
        result = b'"%b"' % request.method.raw[1:-1]
        return Served(
            Outcome(reply=Reply(b'{"jsonrpc":"2.0","id":', b',"result":%b}' % result, None, 2, 34)), _STRATEGY
        )

    def choose(self, *_: object) -> None:
        return None

    def explain(self, *_: object) -> dict[str, Any]:
        return {"explained": True}


_STRATEGY = Strategy.PRIORITY


class Socket:
    """What hypercorn asks a socket for."""

    family = AF_INET

    def getpeername(self) -> tuple[str, int]:
        return PEER.host, PEER.port

    getsockname = getpeername


class OverASocket(ReplayStream):
    __slots__ = ()

    @property
    def socket(self) -> Any:  # noqa: ANN401
        return Socket()


class Accidents:
    """Log lines that tell of one. A processor for structlog.

    What hypercorn and its protocol libraries raise at hostile bytes is the door's to contain: `foreign` counts it.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.foreign = 0

    def __call__(self, logger: object, level: str, event: Any) -> Any:  # noqa: ANN401  (structlog's own mapping)
        if level in ("error", "exception", "critical") or "crash" in str(event.get("event")):
            given = event.get("exc_info")
            self._note(event, given if isinstance(given, BaseException) else sys.exception())
        raise structlog.DropEvent

    def _note(self, event: Any, accident: BaseException | None) -> None:  # noqa: ANN401
        inner = innermost(accident) if accident is not None else []
        if inner and all(_FOREIGN.search(place) for place in inner):
            self.foreign += 1
        else:
            self.seen.append(f"{event.get('event')} {event.get('message', '')} {accident!r} {inner}"[:600])


def innermost(accident: BaseException) -> list[str]:
    """The file and line that raised, for each exception of a group."""
    if isinstance(accident, BaseExceptionGroup):
        return [place for each in accident.exceptions for place in innermost(each)]
    frames = traceback.extract_tb(accident.__traceback__)
    own = next(
        (frame for frame in reversed(frames) if "/lib/python" not in frame.filename or _PACKAGES in frame.filename),
        None,
    )
    return ["?" if own is None else f"{own.filename}:{own.lineno}"]


class Node:
    """A door and its lanes for as long as a nursery lives."""

    def __init__(self, names: Directory, other: Other) -> None:
        budget, hub = ByteBudget(), FakeHub()
        handler = RpcHandler(names, Answers(), Settings(), lambda *_: None)  # type: ignore[arg-type]
        self.lane = WsLane.of(handler, LIMITS, budget, hub)  # type: ignore[arg-type]
        self.door = FrontDoor(
            handler, other, limits=LIMITS, budget=budget, error_answer=of_refusal, websockets=self.lane.serve
        )
        self.hub = hub
        self.accidents = Accidents()
        self._count = 0

    async def feed(self, data: bytes) -> str:
        """One connection from its beginning to its end. Raises Finding."""
        theirs, ours = memory_stream_pair()
        self._count += 1
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.door.serve_stream, ours, PEER)
            await self._say(theirs, data)
            said = await _read(theirs)
            await theirs.aclose()
        self._check()
        return _outcome(said)

    async def _say(self, stream: trio.StapledStream, data: bytes) -> None:
        """In one to three pieces."""
        cuts = {len(data) % 3 and len(data) // 2, len(data) % 2 and len(data) - 1, len(data)}
        at = 0
        try:
            for end in sorted(cuts):
                if end > at:
                    await stream.send_all(data[at:end])
                    at = end
            if self._count % SILENT:
                await stream.send_stream.aclose()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the node ended it in the middle

    def _check(self) -> None:
        counters = self.door.counters
        crashes = counters.connection_crashes + counters.handler_crashes
        if self.accidents.seen or crashes > self.accidents.foreign:
            seen, self.accidents.seen = self.accidents.seen, []
            counters.connection_crashes = counters.handler_crashes = 0
            raise Finding(f"contained: {seen}")
        if self.door.budget.used or self.door.active or self.lane.sessions:
            raise Finding("something of the connection has stayed")
        self.hub.made.clear()


async def _read(stream: trio.StapledStream) -> bytes:
    """What is said, read to the end; its beginning and its end where it is long."""
    said = b""
    try:
        while piece := await stream.receive_some(65_536):
            said += piece
            if len(said) > MOST_SAID:
                said = said[: MOST_SAID // 2] + said[-MOST_SAID // 2 :]
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    return said


def _outcome(said: bytes) -> str:
    """The statuses; behind an upgrade the errors and the close."""
    head, _, rest = said.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        return " ".join(status.decode() for status in _STATUS.findall(said)[:4]) or said[:4].hex()
    close = rest[-64:].rfind(b"\x88")
    return f"101 {_CODE.findall(rest)[:3]} {rest[-64:][close + 2 : close + 4].hex() if close >= 0 else '-'}"


@asynccontextmanager
async def _running(node: Node) -> AsyncIterator[AsyncFeed]:
    """The node's services beside it."""
    structlog.configure(processors=[node.accidents])
    try:
        async with trio.open_nursery() as services:
            await services.start(node.door.serve, [])
            services.start_soon(node.lane.run)
            yield node.feed
            node.door.stop_accepting()
            services.cancel_scope.cancel()
    finally:
        structlog.reset_defaults()


@asynccontextmanager
async def plain() -> AsyncIterator[AsyncFeed]:
    async with _running(Node(directory(10**6, 10**6), nobody)) as feed:
        yield feed


@asynccontextmanager
async def behind_a_handshake() -> AsyncIterator[AsyncFeed]:
    async with _running(Node(directory(10**6, 10**6), nobody)) as feed:

        async def frames(data: bytes) -> str:
            return await feed(handshake() + data)

        yield frames


@asynccontextmanager
async def with_the_web() -> AsyncIterator[AsyncFeed]:
    names = directory(10**6, 10**6)
    web = HypercornLane(web_of(names).app)

    async def other(stream: ReplayStream, peer: Peer) -> None:
        await web.lane(OverASocket(stream._stream, stream.replay), peer)

    async with trio.open_nursery() as nursery:
        await nursery.start(web.run)
        async with _running(Node(names, other)) as feed:
            yield feed
        nursery.cancel_scope.cancel()


def _frame(text: bytes, opcode: int = 0x81, mask: bytes = b"\1\2\3\4") -> bytes:
    masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(text))
    size = bytes((0x80 | len(text),)) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
    return bytes((opcode,)) + size + mask + masked


_CLOSE = _frame(b"\x03\xe8bye", 0x88)
_SUBSCRIBE = _frame(b'{"jsonrpc":"2.0","id":2,"method":"eth_subscribe","params":["newHeads"]}')
FRAMES = (
    _frame(request_surface.CALL) + _CLOSE,
    _SUBSCRIBE + _frame(b"", 0x89) + _frame(request_surface.CALL),
    _frame(request_surface.CALL[:20], 0x01) + _frame(b"", 0x8A) + _frame(request_surface.CALL[20:], 0x80),
    _frame(b"[%b,%b]" % (request_surface.CALL, request_surface.CALL), 0x82) + _CLOSE,
    _CLOSE,
)
FRAME_TOKENS = (
    *(_CLOSE, _SUBSCRIBE, _frame(b"", 0x89), _frame(b"x" * 125, 0x8A), _frame(b"", 0x01), _frame(b"\xff", 0x81)),
    *(
        b"\x81\xff" + b"\xff" * 8,
        b"\x81\x7e\xff\xff",
        b"\x81\x05hello",
        b"\xc1\x80",
        b"\x83\x80",
        b"\x88\x81",
        b"\x00\x80",
    ),
    *(_frame(b"\x03\xed", 0x88), _frame(b"\x00", 0x88), _frame(b"[" * 120), b"\x01\x80\0\0\0\0" * 40),
)
_GET = b"GET %b HTTP/1.1\r\nHost: node\r\n%b\r\n"
PAGES = (
    _GET % (b"/dashboard", b"Accept: text/html\r\nAuthorization: Basic YTpi\r\n"),
    _GET % (b"/dashboard/snapshot?profile=public&window=5m", b"Cookie: lasso=abc; a=b\r\n"),
    _GET % (b"/api/chains/eth/providers", b'If-None-Match: "x"\r\nRange: bytes=0-1\r\n'),
    _GET % (b"/api/health", b"Accept-Encoding: gzip\r\nX-Forwarded-For: ::1\r\n"),
    b"POST /dashboard/login HTTP/1.1\r\nHost: node\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 13\r\n\r\nname=a&pass=b",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\0\5\1\5\0\0\0\1\x82\x84\x86\x41\x01a",
    b"GET /api/health HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkAARAAAAA\r\n\r\n",
)
PAGE_TOKENS = (
    *(b"/dashboard", b"/static/", b"/api/", b"..%2f", b"%ff", b"?a=%00", b"\0\0\4\0\1\0\0\0\1", b"\0\0\0\1\5\0\0\0\3"),
    *(b"\0\0\0\4\0\0\0\0\0", b"\0\0\4\3\0\0\0\0\1\0\0\0\0", b"\0\0\4\x08\0\0\0\0\0\x7f\xff\xff\xff", b"HEAD ", b"PUT "),
)

_HANDSHAKES = (handshake() + FRAMES[0], handshake("/ws/rpc/fastest/nope"), handshake(sec_websocket_version="12"))
DOOR = Surface("door", request_surface.SEEDS + _HANDSHAKES, request_surface.TOKENS + FRAME_TOKENS, opened=plain)
WEBSOCKET = Surface("websocket", FRAMES, FRAME_TOKENS, opened=behind_a_handshake)
WEB = Surface("web", PAGES, request_surface.TOKENS + PAGE_TOKENS, opened=with_the_web)
