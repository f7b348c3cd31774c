"""A client that speaks HTTP/1.1 to a simulated provider over a memory stream, so that tests run in virtual time."""

from __future__ import annotations

import json
from collections.abc import Callable

import attrs
import h11
import pytest
import trio
import trio.testing

from lasso_trio.devnet import Provider
from lasso_trio.devnet.json_types import Json


@attrs.define
class Client:
    stream: trio.abc.Stream
    connection: h11.Connection = attrs.field(factory=lambda: h11.Connection(h11.CLIENT))

    async def post(self, body: bytes, path: str = "/") -> tuple[int, dict[str, str], bytes]:
        head = h11.Request(method="POST", target=path, headers=[("host", "devnet"), ("content-length", str(len(body)))])
        await self.stream.send_all(self.connection.send(head) + self.connection.send(h11.Data(body)))
        self.connection.send(h11.EndOfMessage())
        answer = await self._event()
        parts = []
        while isinstance(event := await self._event(), h11.Data):
            parts.append(bytes(event.data))
        if self.connection.our_state is h11.DONE and self.connection.their_state is h11.DONE:
            self.connection.start_next_cycle()
        headers = {name.decode(): value.decode() for name, value in answer.headers}
        return answer.status_code, headers, b"".join(parts)

    async def ask(self, method: str, *params: Json) -> Json:
        """The whole JSON answer."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        return json.loads((await self.post(body))[2])

    async def _event(self) -> Json:
        while (event := self.connection.next_event()) is h11.NEED_DATA:
            self.connection.receive_data(await self.stream.receive_some())
        return event


@pytest.fixture
def connect(nursery: trio.Nursery) -> Callable[[Provider], Client]:
    """Open a connection to a provider, in memory."""

    def connect(provider: Provider) -> Client:
        ours, theirs = trio.testing.memory_stream_pair()
        nursery.start_soon(provider.handle, theirs)
        return Client(ours)

    return connect
