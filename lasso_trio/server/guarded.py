"""What a profile that is not open to everybody means for HTTP and WebSockets: who is asked, refusals, CORS.

The guard is part of the route, which is remembered on a request's head and by a socket; a route without one costs its
calls a look. Refusals carry the client's id; what a batch may not do is refused item by item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from lasso_trio.access.credential import shown
from lasso_trio.access.gates import Gates
from lasso_trio.access.guard import Guard
from lasso_trio.jsonrpc.errors import NULL_ID, RpcError
from lasso_trio.jsonrpc.request import Invalid, Request
from lasso_trio.server import rpc_answer
from lasso_trio.server.answer import Answer
from lasso_trio.server.routes import Route

ANY_ORIGIN: Final = b"access-control-allow-origin: *\r\n"
_CHALLENGE: Final = b'www-authenticate: Bearer realm="lasso"\r\n'

Items = list[Request | Invalid]


def guarded(route: Route, in_path: str | None, headers: Mapping[str, str], gates: Gates) -> Route:
    """`route` with its guard, if its profile wants one. `in_path`: the credential that stood in the path."""
    if route.profile is None:
        return route
    guard = gates.guard(route.profile.profile, route.chain, shown(in_path, headers), headers.get("origin"))
    return route if guard is None else attrs.evolve(route, guard=guard)


def refusal(error: RpcError, request_id: str, id_: bytes = NULL_ID) -> Answer:
    """401 says what is wanted (RFC 9110, 11.6.1)."""
    answer = rpc_answer.of_error(error, request_id, id_)
    if error.status == 401:
        answer.headers += _CHALLENGE
    return answer


def id_of(decoded: Request | Invalid | Sequence[object]) -> bytes:
    """The client's; `null` for a batch."""
    if isinstance(decoded, Request):
        return decoded.reply_id
    return decoded.id if isinstance(decoded, Invalid) else NULL_ID


def permitted(guard: Guard, items: Items) -> Items:
    """`items` with the error in place of what may not be called; notifications of that kind are left out."""
    kept: Items = []
    for item in items:
        error = guard.forbids(item.method.name) if isinstance(item, Request) else None
        if error is None:
            kept.append(item)
        elif isinstance(item, Request) and item.id is not None:
            kept.append(Invalid(error, item.id))
    return kept


def dressed(answer: Answer, guard: Guard) -> Answer:
    """With the CORS headers of the guard's profile in place of those for everybody."""
    if "*" in guard.gate.policy.origins:
        return answer
    line = b"vary: origin\r\n"
    if guard.origin is not None and guard.lets_origin:
        line += b"access-control-allow-origin: %b\r\n" % guard.origin.encode("latin-1")
    answer.headers = answer.headers.replace(ANY_ORIGIN, line, 1)
    return answer
