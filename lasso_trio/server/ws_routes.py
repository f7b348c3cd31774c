"""Which connections are WebSocket clients of ours, where they want to go, and what is said to those who cannot.

    /ws + any path of `routes`, with `Upgrade: websocket`

The route is looked up with the handshake (query and headers mean what they mean over HTTP), so that a client whose
profile, chain or provider does not exist is refused with the reason instead of being let in to fail. The status is 403,
as in the original; the body is the JSON-RPC error that HTTP would answer with. Pure: bytes in, values out.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from typing import Final
from urllib.parse import parse_qsl

import attrs

from lasso_trio.access.credential import taken_out
from lasso_trio.access.gates import Gates
from lasso_trio.jsonrpc.errors import RpcError, unknown_provider
from lasso_trio.routing.directory import Directory
from lasso_trio.server import request_id, rpc_answer
from lasso_trio.server.answer import Answer
from lasso_trio.server.guarded import guarded
from lasso_trio.server.http_head import Head, parse_head
from lasso_trio.server.routes import Meta, NoSuchRoute, Route, resolve

PREFIX: Final = "/ws"
_OURS: Final = re.compile(rb"GET +(?:https?://[^/?# \r\n]*)?/ws/rpc[/? \r\n]", re.IGNORECASE)
_UPGRADE: Final = re.compile(rb"\r\nupgrade[ \t]*:[^\r\n]*websocket", re.IGNORECASE)
_NO: Final = frozenset({"0", "false", "no", "off"})
_KEPT: Final = frozenset(
    f"x-lasso-{what}"
    for what in (
        "provider",
        "transport",
        "include-meta",
        "session",
        "min-block",
        "explain",
        "hedge",
        "cache",
        "api-key",
    )
) | {"x-request-deadline-ms", "authorization", "origin", "traceparent", "tracestate"}
"""Every header that `routes` and `guarded` read: over a WebSocket they hold for all calls."""

_TEXT: Final = b"content-type: text/plain; charset=utf-8\r\n"


def is_ws(raw: bytes) -> bool:
    """Whether the request that begins with `raw` (a whole head, at least) asks for a WebSocket of ours."""
    return _OURS.match(raw) is not None and _UPGRADE.search(raw[: raw.find(b"\r\n\r\n")]) is not None


@attrs.frozen(eq=False)
class Destination:
    """What a handshake asked for. It is looked up again when the configuration has changed."""

    target: str
    """Path and query, without the `/ws`."""
    headers: dict[str, str] = attrs.field(repr=False)
    forwarded_for: str
    key: bytes
    wants_gaps: bool
    credential: str | None = attrs.field(default=None, repr=False)
    """What stood in the path; that of a header is among the headers."""

    def route(self, directory: Directory) -> Route:
        """Where its calls go. `error` is set when that is nowhere (any more). Raises NoSuchRoute."""
        route = resolve(self.target, self.headers, directory)
        chain, provider = route.chain, route.wish.provider
        if route.error is None and chain is not None and provider is not None and not chain.has_provider(provider):
            error = unknown_provider(provider, chain.chain.chain_id, chain.profile.slug)
            return attrs.evolve(route, error=error)
        return route


def guarded_route(route: Route, to: Destination, gates: Gates) -> Route:
    """`route` with its guard, if its profile wants one."""
    return guarded(route, to.credential, to.headers, gates)


class Refused(Exception):
    """The handshake is answered with `answer`, and that is all."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def read_handshake(raw: bytes, max_headers: int, directory: Directory) -> tuple[Destination, Route]:
    """Read a whole head that `is_ws`. Where it wants to go may not be there: the route's `error` is to be told once it
    is known to whom. Raises Refused, and BadRequest when it is no HTTP.
    """
    head = parse_head(raw, max_headers)
    target, credential = taken_out(head.target[len(PREFIX) :])
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
    key = _checked_key(head, headers)
    asked = dict(parse_qsl(target.partition("?")[2]))
    gaps = asked.get("gaps") or headers.get("x-lasso-gaps", "")
    kept = {name: value for name, value in headers.items() if name in _KEPT}
    forwarded = ",".join(value.decode("latin-1") for name, value in head.headers if name == b"x-forwarded-for")
    destination = Destination(target, kept, forwarded, key, gaps not in _NO, credential)
    return destination, _checked_route(destination, directory)


def _checked_key(head: Head, headers: dict[str, str]) -> bytes:
    """RFC 6455, section 4.2.1. Raises Refused."""
    options = {option.strip().lower() for option in headers.get("connection", "").split(",")}
    if head.version != 1 or "upgrade" not in options or head.content_length or head.chunked:
        raise Refused(_refusal(400, "not a WebSocket handshake"))
    if headers.get("sec-websocket-version") != "13":
        raise Refused(_refusal(426, "WebSocket version 13 is spoken here", b"sec-websocket-version: 13\r\n"))
    key = headers.get("sec-websocket-key", "").encode("latin-1")
    try:
        if len(b64decode(key, validate=True)) == 16:
            return key
    except (Base64Error, ValueError):
        pass
    raise Refused(_refusal(400, "Sec-WebSocket-Key must be 16 bytes in base64"))


def _checked_route(destination: Destination, directory: Directory) -> Route:
    try:
        return destination.route(directory)
    except NoSuchRoute:
        raise Refused(rpc_answer.not_found(request_id.made())) from None


def refusal_of(error: RpcError) -> Answer:
    """403 and the error's object; 400 for what no other path would help."""
    answer = rpc_answer.of_error(error, request_id.made())
    answer.status = 400 if error.category == "invalid_header" else 403
    return answer


def _refusal(status: int, why: str, headers: bytes = b"") -> Answer:
    return Answer(status, _TEXT + headers, why.encode() + b"\n")


def tells_beside(route: Route) -> bool:
    """Whether metadata of every call follows its answer, for `include_meta=headers`: a frame has no headers."""
    return route.meta is Meta.HEADERS
