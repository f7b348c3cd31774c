"""The rpc lane: the loop of one HTTP/1.x connection, from bytes to the handler and back.

One task per connection, no scope and no task per request; time limits are the sweeper's. A request that is not for
this lane ends the loop with the connection untouched behind it: `serve` returns the unread bytes and the door hands
both to another lane. Cancelling `serve` leaves the connection in an unknown state: close it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final, Literal

import attrs
import structlog
import trio

from lasso_trio.server.answer import Answer, ErrorAnswer
from lasso_trio.server.answer_source import BrokenAnswer
from lasso_trio.server.answer_writer import AnswerWriter
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.connection import BODY, CALL, HEAD, IDLE, LINGER, WRITING, Connection, Peer
from lasso_trio.server.content_coding import inflate
from lasso_trio.server.door_counters import DoorCounters
from lasso_trio.server.head_cache import HeadCache
from lasso_trio.server.http_head import Head
from lasso_trio.server.http_request import FOREIGN, Foreign, HttpRequest, RequestReader
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.refusal import BadRequest, Kind, malformed
from lasso_trio.server.request_id import of_accident

Handler = Callable[[HttpRequest, Peer], Awaitable[Answer]]

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

# Several spaces and an authority are let in here so that the strict parser says what it thinks of them.
_OURS: Final = re.compile(rb"(?:POST|OPTIONS) +(?:https?://[^/?# \r\n]*)?/rpc[/? \r\n]", re.IGNORECASE)

log = structlog.get_logger(__name__)


def is_rpc(raw: bytes) -> bool:
    """Whether the request that begins with `raw` is for this lane: POST or OPTIONS on `/rpc` and below."""
    return _OURS.match(raw) is not None


@attrs.define(eq=False)
class RpcLane:
    """What the connections of the lane share. `draining`: every answer from now on closes its connection."""

    handler: Handler
    limits: LaneLimits
    budget: ByteBudget
    error_answer: ErrorAnswer
    counters: DoorCounters
    writer: AnswerWriter
    heads: HeadCache = attrs.field(factory=HeadCache)
    draining: bool = False

    async def serve(self, connection: Connection) -> bytes | None:
        """Serve until the connection ends (None) or a request is not ours (the unread bytes, that request first)."""
        try:
            return await self._requests(connection, RequestReader(self.limits, self.heads, is_rpc))
        except BadRequest as refusal:
            await self._refuse(connection, refusal)
        except BrokenAnswer as broken:
            self.counters.broken_answers += 1
            log.warning("rpc.answer.broken", reason=str(broken), request_id=broken.request_id)
            connection.abort()
        return None

    async def _requests(self, connection: Connection, reader: RequestReader) -> bytes | None:
        receive = connection.stream.receive_some
        clock = trio.lowlevel.current_clock().current_time  # what trio.current_time comes to, two calls later
        while True:
            if reader.has_unread():  # pipelined: nothing so far need have been a checkpoint
                await trio.lowlevel.checkpoint()
                connection.enter(HEAD, clock())
                request = await self._long_way(connection, reader)
            else:
                data = await receive()
                if not data:
                    return None
                request = reader.take(data) or await self._long_way(connection, reader)
            if request is FOREIGN:
                return reader.leftover()
            if request is None or not await self._answer(connection, request, clock):
                return None

    async def _answer(self, connection: Connection, request: HttpRequest, clock: Callable[[], float]) -> bool:
        """Answer one request. Returns whether the connection may carry another."""
        head = request.head
        connection.since = request.received_at = clock()
        connection.phase = CALL
        self.counters.requests += 1
        close = self.draining or not head.keep_alive
        try:
            answer = await self.handler(request, connection.peer)
        except Exception:
            answer, close = self._crashed(head), True
        if connection.reserved:
            self.release(connection)
        connection.since = clock()
        connection.phase = WRITING
        if await self.writer.write(connection, head, answer, close or self.draining or answer.close):
            if head.keep_alive:  # the client may be sending its next request already
                await self._linger(connection)
            return False
        connection.phase = IDLE
        return True

    def _crashed(self, head: Head) -> Answer:
        self.counters.handler_crashes += 1
        answer = self.error_answer(500, Kind.CRASHED)
        id_, answer.headers = of_accident(head.headers, answer.headers)
        log.exception("rpc.handler.crashed", method=head.method, request_id=id_)
        return answer

    # Requests that did not come whole in one read, with a head that is known…

    async def _long_way(
        self, connection: Connection, reader: RequestReader
    ) -> HttpRequest | Literal[Foreign.FOREIGN] | None:
        """The next request, however it comes; None when the client has ended instead."""
        head = reader.read_head()
        while head is None:
            if not reader.has_unread():
                connection.phase = IDLE  # what there was behind the last body was an empty line
            elif connection.phase is IDLE:
                connection.enter(HEAD, trio.current_time())
            data = await connection.stream.receive_some()
            if not data:
                return None
            reader.feed(data)
            head = reader.read_head()
        if head is FOREIGN:
            return FOREIGN
        body = reader.read_body(head)
        if body is None or head.content_encoding:
            body = await self._big_body(connection, reader, head, body)
        return HttpRequest(head, body, 0.0)

    async def _big_body(self, connection: Connection, reader: RequestReader, head: Head, body: bytes | None) -> bytes:
        self._reserve(connection, head)
        if body is None:
            body = await self._rest_of_body(connection, reader, head)
        if head.content_encoding:
            body = await inflate(body, head.content_encoding, self.limits.max_body_bytes)
        return body

    def _reserve(self, connection: Connection, head: Head) -> None:
        unknown = head.chunked or head.content_encoding
        size = self.limits.unknown_body_charge if unknown else head.content_length
        if not self.budget.reserve(size, connection.address):
            raise BadRequest(503, Kind.NO_CAPACITY, "byte budget used up")
        connection.reserved = size

    async def _rest_of_body(self, connection: Connection, reader: RequestReader, head: Head) -> bytes:
        connection.enter(BODY, trio.current_time())
        if head.expect_continue and not reader.body_began():
            await connection.stream.send_all(CONTINUE)
        while True:
            data = await connection.stream.receive_some()
            if not data:
                raise malformed("the body ended before its length")
            connection.progress(len(data), self.limits.min_body_rate, trio.current_time())
            reader.feed(data)
            body = reader.read_body(head)
            if body is not None:
                return body

    def release(self, connection: Connection) -> None:
        """Give back what the connection holds of the byte budget; harmless when it holds nothing."""
        if connection.reserved:
            self.budget.release(connection.reserved, connection.address)
            connection.reserved = 0

    # The end…

    async def _refuse(self, connection: Connection, refusal: BadRequest) -> None:
        self.counters.refused += 1
        self.release(connection)
        await self.tell(connection, refusal.status, refusal.kind)
        await self._linger(connection)

    async def tell(self, connection: Connection, status: int, kind: Kind) -> None:
        """Write the answer to a request that is not served, as the connection's last."""
        connection.enter(WRITING, trio.current_time())
        await self.writer.write(connection, None, self.error_answer(status, kind), close=True)

    async def _linger(self, connection: Connection) -> None:
        """Say that we are done and read on for a little: closing on unread bytes would destroy our answer."""
        connection.enter(LINGER, trio.current_time())
        if isinstance(connection.stream, trio.abc.HalfCloseableStream):
            await connection.stream.send_eof()
        left = self.limits.linger_bytes
        while left > 0:
            data = await connection.stream.receive_some()
            if not data:
                return
            left -= len(data)
