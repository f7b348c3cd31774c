"""A client that speaks HTTP/2 with prior knowledge, one request at a time."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import h2.connection
import h2.events
import h2.settings
import trio

from tests.surface.conftest import Response


class Broken(Exception):
    """The answer ended with a reset of its stream, or of the connection."""


@attrs.define(eq=False)
class Http2Client:
    stream: trio.SocketStream
    connection: h2.connection.H2Connection = attrs.field(factory=h2.connection.H2Connection)
    _unsent: bytes = b""

    async def begin(self) -> None:
        self.connection.initiate_connection()
        await self.stream.send_all(self.connection.data_to_send())

    async def request(
        self, method: str, target: str, body: bytes = b"", fields: Iterable[tuple[str, str]] = ()
    ) -> Response:
        """Raises Broken."""
        stream_id = self.connection.get_next_available_stream_id()
        pseudo = [(":method", method), (":path", target), (":authority", "node"), (":scheme", "http")]
        lines = [(name.lower(), value) for name, value in fields]
        if body or method == "POST":
            lines.append(("content-length", str(len(body))))
        self.connection.send_headers(stream_id, [*pseudo, *lines], end_stream=not body)
        self._unsent = body
        self._send_some(stream_id)
        await self.stream.send_all(self.connection.data_to_send())
        return await self._receive(stream_id)

    def _send_some(self, stream_id: int) -> None:
        """As much of the body as the server lets us; the rest when it says so."""
        while self._unsent:
            window = self.connection.local_flow_control_window(stream_id)
            size = min(window, self.connection.max_outbound_frame_size)
            if not size:
                return
            piece, self._unsent = self._unsent[:size], self._unsent[size:]
            self.connection.send_data(stream_id, piece, end_stream=not self._unsent)

    async def _receive(self, stream_id: int) -> Response:
        fields: list[tuple[str, str]] = []
        body = b""
        while True:
            data = await self.stream.receive_some(65_536)
            if not data:
                raise Broken("the connection ended")
            for event in self.connection.receive_data(data):
                if getattr(event, "stream_id", stream_id) not in (stream_id, 0):
                    continue
                if isinstance(event, h2.events.ResponseReceived):
                    fields = [(_text(name), _text(value)) for name, value in event.headers]
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
                    self.connection.acknowledge_received_data(event.flow_controlled_length, stream_id)
                elif isinstance(event, h2.events.WindowUpdated):
                    self._send_some(stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    status = int(dict(fields)[":status"])
                    return Response(status, tuple(field for field in fields if field[0] != ":status"), body)
                elif isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                    raise Broken(repr(event))
            await self.stream.send_all(self.connection.data_to_send())


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
