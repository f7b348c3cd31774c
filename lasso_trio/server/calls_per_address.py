"""Of each client address so many HTTP requests at a time: a door's handler before the one that answers.

Not there unless asked for. What a connection can have in flight is bounded anyway (one request over HTTP/1,
`WsLimits.max_in_flight` messages over a WebSocket), so this is for addresses behind trusted proxies, whose connections
nobody counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from lasso_trio.jsonrpc.errors import busy_address
from lasso_trio.routing.client_limit import client_key
from lasso_trio.server import request_id, rpc_answer
from lasso_trio.server.address_tally import AddressTally
from lasso_trio.server.answer import Answer
from lasso_trio.server.client_address import Network, client_address
from lasso_trio.server.connection import Peer
from lasso_trio.server.http_request import HttpRequest
from lasso_trio.server.rpc_lane import Handler


@attrs.frozen(eq=False)
class CallsPerAddress:
    """`tally` must have a limit."""

    handler: Handler
    tally: AddressTally
    trusted: Sequence[Network]

    async def __call__(self, http: HttpRequest, peer: Peer) -> Answer:
        forwarded = b",".join(value for name, value in http.head.headers if name == b"x-forwarded-for")
        address = client_key(client_address(peer.host, forwarded.decode("latin-1"), self.trusted))
        if not self.tally.take(address):
            return rpc_answer.of_error(busy_address(), request_id.made())
        try:
            return await self.handler(http, peer)
        finally:
            self.tally.give_back(address)


def capped(handler: Handler, tally: AddressTally, trusted: Sequence[Network]) -> Handler:
    """`handler` itself when `tally` has no limit."""
    return CallsPerAddress(handler, tally, trusted) if tally.most else handler
