"""One WebSocket session with an upstream, from the dial to its end; the only importer of trio-websocket up here.

`hold` is the whole of it: dial, upgrade, let somebody live on the open socket, say goodbye, close. However it ends, it
ends as a value, an `Ending`, because a session's end is news for a keeper and not an accident. What the library needs
is kept in here: a nursery of its own (it may cancel the one it is given, its issue 184), large reads, no message queue
worth its name (the reader must not wait: it answers the pings as well), sends that cannot stall for ever, and no word
more after a send that was cut in two.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, TypeVar, cast

import attrs
import h11
import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, WebSocketConnection, wrap_client_stream
from wsproto.utilities import LocalProtocolError, ProtocolError

from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.upstream.dialled import Dial
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.faults import NETWORK_ERRORS, UpstreamFault
from lasso_trio.upstream.ws_wire import Wire

LARGEST_MESSAGE: Final = 64 * 1024 * 1024
QUEUED_MESSAGES: Final = 16
READ_BYTES: Final = 65_536
DIAL_S: Final = 10.0
UPGRADE_S: Final = 10.0
CLOSE_S: Final = 0.8
MOST_TEXT: Final = 200
GRACEFUL: Final = frozenset({1000, 1001, 1012})
"""Close codes of a server that is only leaving (RFC 6455 §7.4.1; 1012: service restart)."""

_OF_A_POST: Final = frozenset({"host", "accept", "content-type", "accept-encoding", "content-length"})

Headers = Sequence[tuple[bytes, bytes]]
Fault = TypeVar("Fault", bound=BaseException)


@attrs.frozen
class Ending:
    """Why a session ended, or never began.

    `reason`: dial (with its `fault`), refused (`code`: the HTTP status), timed_out and eof (during the upgrade;
    eof also for an answer that is no HTTP), closed (by the peer, or for a message too large; `code`: the WebSocket's),
    lost, or a word of who lived on it.
    `text` is what others said, without our credentials and not scrubbed otherwise. `opened`: the upgrade had succeeded.
    """

    reason: str
    code: int | None = None
    text: str = ""
    headers: Headers = attrs.field(default=(), repr=False)
    fault: UpstreamFault | None = None
    opened: bool = False

    @property
    def graceful(self) -> bool:
        return self.reason == "closed" and self.code in GRACEFUL

    def header(self, name: bytes) -> bytes | None:
        """Of a refusal: the first value of `name` (lower-case)."""
        return next((value for key, value in self.headers if key.lower() == name), None)


class Over(Exception):
    """Raised by whoever lives on a session to end it."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.reason)
        self.ending = ending


@attrs.define(eq=False)
class Socket:
    """An open session. One task reads, one sends."""

    _connection: WebSocketConnection
    _wire: Wire

    async def send(self, text: bytes) -> None:
        """Send one text message. Raises Over. A cancel that cuts it leaves the socket unfit for more."""
        try:
            await self._connection.send_message(text.decode())
        except ConnectionClosed as closed:
            raise Over(self._ending(closed)) from None

    async def receive(self) -> bytes:
        """The next message, text or binary. Raises Over when there will be no more. Cancelled: nothing is lost."""
        try:
            message = await self._connection.get_message()
        except ConnectionClosed as closed:
            raise Over(self._ending(closed)) from None
        return message.encode() if isinstance(message, str) else bytes(message)

    def _ending(self, closed: ConnectionClosed) -> Ending:
        why = closed.reason
        if self._wire.stalled or why is None or why.code == 1006:
            return Ending("lost", text="the peer does not read" if self._wire.stalled else "", opened=True)
        return Ending("closed", why.code, why.reason or "", opened=True)

    async def say_goodbye(self, last_words: Sequence[bytes]) -> None:
        """Send `last_words` and the close frame, if that can be done cleanly. Nobody waits for the peer's echo."""
        with suppress(ConnectionClosed, LocalProtocolError):
            for text in last_words:
                if not self._wire.cut:
                    await self._connection.send_message(text.decode())
            if not self._wire.cut:
                with trio.CancelScope() as self._wire.closing:
                    await self._connection.aclose()


@attrs.define(eq=False)
class Life:
    """What is done on an open session. `last_words`: asked for when it is over, however that came."""

    live: Callable[[Socket], Awaitable[None]]
    last_words: Callable[[], Sequence[bytes]] = tuple


async def hold(endpoint: Endpoint, dial: Dial, life: Life) -> Ending:
    """Open a session, let `life` be lived on it, close it, and say why it ended.

    `life.live` ends the session by raising Over, or by returning. Raises what else it raises, in a group. Cancelled:
    says goodbye first, within `CLOSE_S`.
    """
    try:
        with trio.fail_after(DIAL_S):
            wire = Wire((await dial()).stream)
    except trio.TooSlowError:
        return Ending("timed_out")
    except UpstreamFault as fault:
        return Ending("dial", text=str(fault), fault=fault)
    ending = Ending("lost", opened=True)  # as far as one knows when the library leaks a cancellation
    try:
        async with trio.open_nursery() as nursery:
            await _lived(nursery, wire, endpoint, life)
            nursery.cancel_scope.cancel("the session is over")
    except* Over as group:
        ending = _first(group).ending
    except* ConnectionRejected as group:
        refused = _first(group)
        text = (refused.body or b"")[:READ_BYTES].decode("utf-8", "replace")
        ending = Ending("refused", refused.status_code, text, refused.headers)
    except* (ConnectionClosed, ProtocolError, h11.ProtocolError, trio.BusyResourceError, *NETWORK_ERRORS):
        # Busy: TLS had something of its own to say in the middle of a message of ours, which is rare. h11's own errors:
        # the library answers an upgrade's broken answer with a refusal, which its own side of HTTP does not allow.
        if wire.opening is not None:
            ending = _without_upgrade(wire)
    except* UnicodeDecodeError:  # which is what the library makes of a header in the upgrade's answer
        if wire.opening is None:
            raise
        ending = _without_upgrade(wire)
    finally:
        wire.close()
    return _presentable(ending, endpoint)


async def _lived(nursery: trio.Nursery, wire: Wire, endpoint: Endpoint, life: Life) -> None:
    socket = Socket(await _upgrade(nursery, wire, endpoint), wire)
    try:
        await life.live(socket)
    finally:
        with trio.CancelScope(deadline=trio.current_time() + CLOSE_S, shield=True):
            await socket.say_goodbye(life.last_words())


async def _upgrade(nursery: trio.Nursery, wire: Wire, endpoint: Endpoint) -> WebSocketConnection:
    host, target, headers = upgrade_head(endpoint)
    with trio.CancelScope(deadline=trio.current_time() + UPGRADE_S) as wire.opening:
        connection = await wrap_client_stream(
            nursery,
            cast("trio.SocketStream", wire),  # any stream will do
            host,
            target,
            extra_headers=headers,
            message_queue_size=QUEUED_MESSAGES,
            max_message_size=LARGEST_MESSAGE,
            receive_buffer_size=READ_BYTES,
        )
        wire.opening = None
        return connection
    raise Over(_without_upgrade(wire))


def _without_upgrade(wire: Wire) -> Ending:
    """What it comes to when the library did not get as far as telling."""
    if wire.status not in (None, 101):
        return Ending("refused", wire.status)
    over_time = wire.opening is not None and wire.opening.cancelled_caught and not wire.ended
    return Ending("timed_out" if over_time else "eof")


def ws_endpoint(url: SecretUrl, headers: Mapping[str, Secret]) -> Endpoint:
    """The endpoint of a `ws` or `wss` URL: dialled as the `http(s)` one that it begins as. Raises ValueError."""
    return Endpoint.from_url(SecretUrl(f"http{url.reveal().strip().removeprefix('ws')}"), headers)


def upgrade_head(endpoint: Endpoint) -> tuple[str, str, list[tuple[bytes, bytes]]]:
    """Host, target and further headers of the upgrade. The endpoint keeps them, keys and all, in its request head."""
    start, *lines = endpoint.head.decode("ascii").split("\r\n")
    fields = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    host = next(value for name, value in fields if name == "Host")
    kept = [(name.encode(), value.encode()) for name, value in fields if name.lower() not in _OF_A_POST]
    return host, start.split(" ")[1], kept


def _presentable(ending: Ending, endpoint: Endpoint) -> Ending:
    """Masked before it is cut: half a key is a key's half."""
    text = endpoint.without_keys(ending.text.encode("utf-8", "replace")).decode("utf-8", "replace")
    return attrs.evolve(ending, text=text[:MOST_TEXT])


def _first(group: BaseExceptionGroup[Fault]) -> Fault:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner
