"""`?explain=1`: the answer to a call that is to be explained and not carried out. A batch gives a list of answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import trio

from lasso_trio.jsonrpc.errors import invalid_request, websocket_only
from lasso_trio.jsonrpc.methods import WEBSOCKET_ONLY
from lasso_trio.jsonrpc.request import Invalid, Request
from lasso_trio.routing.service import Service
from lasso_trio.server import rpc_answer
from lasso_trio.server.answer import Answer
from lasso_trio.server.exchange import Exchange

_encode: Final = msgspec.json.Encoder().encode


def explanation(
    service: Service, exchange: Exchange, decoded: Request | Invalid | Sequence[Request | Invalid]
) -> Answer:
    """What would be done with `decoded`; a notification is explained under id null. Raises RpcError if it is empty."""
    if isinstance(decoded, Request | Invalid):
        return rpc_answer.of_text(exchange, _one(service, exchange, decoded))
    if not decoded:
        raise invalid_request()
    return rpc_answer.of_text(exchange, b"[%b]" % b",".join(_one(service, exchange, item) for item in decoded))


def _one(service: Service, exchange: Exchange, item: Request | Invalid) -> bytes:
    route = exchange.route
    if isinstance(item, Invalid):
        return item.error.encode(item.id)
    if item.method.name in WEBSOCKET_ONLY:
        return websocket_only(route.path).encode(item.reply_id)
    row = service.explain(route.routed_chain, route.wish, item, trio.current_time())
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (item.reply_id, _encode(row))
