"""The check over a WebSocket: does it open, answer, and tell of new blocks?

A session has a nursery of its own, because trio-websocket may leak a cancellation into the one it is given (its issue
184). Waiting for a block is bounded; what was found out until then is kept.
"""

from __future__ import annotations

import ssl
from typing import Any, Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

import attrs
import msgspec
import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    HandshakeError,
    WebSocketConnection,
    wrap_client_stream,
)

from lasso_trio.probe.asker import USER_AGENT, Counter, Manners, tls_context
from lasso_trio.probe.finding import WebSocket
from lasso_trio.probe.steps import quantity
from lasso_trio.probe.target import Target

Stream: TypeAlias = "trio.SocketStream | trio.SSLStream[trio.SocketStream]"

LARGEST_MESSAGE: Final = 1024 * 1024
MOST_MESSAGES: Final = 256
"""That many messages without the one we wait for, and we stop listening."""


@attrs.define(eq=False)
class Session:
    """One conversation. `found` is complete up to where it came."""

    target: Target
    manners: Manners
    counter: Counter
    found: WebSocket = attrs.field(factory=WebSocket, init=False)

    async def run(self) -> None:
        """Raises what trio-websocket raises, in groups, and TooSlowError."""
        assert self.target.ws_url is not None
        url = urlsplit(self.target.ws_url.reveal())
        self.counter.requests += 1
        with trio.fail_after(self.manners.timeout_s):
            stream = await _dial(url)
        try:
            async with trio.open_nursery() as nursery:
                await self._converse(await self._open(nursery, stream, url))
                nursery.cancel_scope.cancel("all is asked")
        finally:
            await trio.aclose_forcefully(stream)  # trio-websocket leaves it open when its reader is cancelled

    async def _open(self, nursery: trio.Nursery, stream: Stream, url: SplitResult) -> WebSocketConnection:
        extra = [(name.encode(), value.reveal().encode()) for name, value in self.target.headers.items()]
        with trio.fail_after(self.manners.timeout_s):
            return await wrap_client_stream(
                nursery,
                stream,
                url.netloc.rpartition("@")[2],
                (url.path or "/") + (f"?{url.query}" if url.query else ""),
                extra_headers=[(b"user-agent", USER_AGENT.encode()), *extra],
                message_queue_size=8,
                max_message_size=LARGEST_MESSAGE,
                receive_buffer_size=65536,
            )

    async def _converse(self, connection: WebSocketConnection) -> None:
        self._note(connected=True)
        started = trio.current_time()
        reply = await self._ask(connection, 1, "eth_chainId", [])
        took_ms = round((trio.current_time() - started) * 1000, 1)
        self._note(chain_id=quantity(reply.get("result")), ms=took_ms, problem=self._refusal(reply))
        reply = await self._ask(connection, 2, "eth_subscribe", ["newHeads"])
        id_ = reply.get("result")
        self._note(subscribed=isinstance(id_, str), problem=self.found.problem or self._refusal(reply))
        if isinstance(id_, str):
            await self._first_head(connection, id_)

    async def _first_head(self, connection: WebSocketConnection, id_: str) -> None:
        started = trio.current_time()
        with trio.move_on_after(self.manners.head_wait_s):
            for _ in range(MOST_MESSAGES):
                params = (await _next(connection)).get("params")
                if isinstance(params, dict) and params.get("subscription") == id_:
                    return self._note(first_head_s=round(trio.current_time() - started, 2))
        return self._note(problem=f"no new head within {self.manners.head_wait_s:g} s")

    async def _ask(self, connection: WebSocketConnection, id_: int, method: str, params: list[Any]) -> dict[str, Any]:
        self.counter.add()
        call = {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}
        with trio.fail_after(self.manners.timeout_s):
            await connection.send_message(msgspec.json.encode(call).decode())
            for _ in range(MOST_MESSAGES):
                reply = await _next(connection)
                if reply.get("id") == id_:
                    return reply
        return {}

    def _refusal(self, reply: dict[str, Any]) -> str:
        error = reply.get("error")
        if isinstance(error, dict):
            return self.target.clean(f"{error.get('code')} {error.get('message')}")
        return "" if "result" in reply else "no answer to a call"

    def _note(self, **found: Any) -> None:  # noqa: ANN401
        self.found = attrs.evolve(self.found, **found)


async def check(target: Target, manners: Manners, counter: Counter) -> WebSocket:
    """Open, ask, subscribe, wait. Never raises but what cancels; the socket is closed without ceremony."""
    session = Session(target, manners, counter)
    problems: list[str] = []
    try:
        await session.run()
    except* (TimeoutError, trio.TooSlowError):
        problems.append("no answer in time")
    except* ConnectionRejected as group:
        problems.append(f"refused: HTTP {_first(group).status_code}")
    except* ConnectionClosed:
        problems.append("closed by the endpoint")
    except* (HandshakeError, ssl.SSLError, OSError, trio.BrokenResourceError, ValueError) as group:
        problems.append(target.clean(_words(_first(group))))
    return attrs.evolve(session.found, problem=problems[0]) if problems else session.found


async def _dial(url: SplitResult) -> Stream:
    """TCP, and TLS for `wss`. Raises OSError, and trio.BrokenResourceError when the handshake fails."""
    host, secure = url.hostname or "", url.scheme == "wss"
    tcp = await trio.open_tcp_stream(host, url.port or (443 if secure else 80))
    if not secure:
        return tcp
    stream = trio.SSLStream(tcp, tls_context(), server_hostname=host, https_compatible=True)
    try:
        await stream.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


async def _next(connection: WebSocketConnection) -> dict[str, Any]:
    """The next message that is a JSON object; others count as an empty one."""
    try:
        message = msgspec.json.decode(await connection.get_message())
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return message if isinstance(message, dict) else {}


def _words(fault: BaseException) -> str:
    """trio wraps what TLS says."""
    return str(fault.__cause__ or "") or str(fault) or type(fault).__name__


def _first(group: BaseExceptionGroup[Any]) -> Any:  # noqa: ANN401
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
