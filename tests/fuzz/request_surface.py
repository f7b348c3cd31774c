"""Requests as the rpc lane reads them, without a socket: the same bytes must mean the same however they are cut."""

from __future__ import annotations

import gzip

from lasso_trio.server.head_cache import HeadCache
from lasso_trio.server.http_request import FOREIGN, HttpRequest, RequestReader
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.refusal import BadRequest
from lasso_trio.server.rpc_lane import is_rpc
from tests.fuzz.surface import Finding, Surface

CALL = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}'
_POST = b"POST %b HTTP/1.1\r\nHost: node\r\nContent-Length: %d\r\n%b\r\n%b"
_CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(CALL), CALL)
LIMITS = LaneLimits(max_body_bytes=4_096, max_head_bytes=2_048, max_headers=24)
ENDED = frozenset({"foreign", "400", "413", "417", "431", "501"})


def post(path: bytes, body: bytes = CALL, more: bytes = b"") -> bytes:
    return _POST % (path, len(body), more, body)


SEEDS = (
    post(b"/rpc/eth"),
    post(b"/rpc/fastest/eth?include_meta=body", CALL, b"X-Forwarded-For: 1.2.3.4\r\nX-Lasso-Session: a\r\n"),
    post(b"/rpc/eth") * 3,
    b"POST /rpc/eth HTTP/1.1\r\nHost: node\r\nTransfer-Encoding: chunked\r\n\r\n" + _CHUNKS,
    post(b"/rpc/eth", gzip.compress(CALL, mtime=0), b"Content-Encoding: gzip\r\nAccept-Encoding: gzip\r\n"),
    post(b"/rpc/eth", CALL, b"Expect: 100-continue\r\nConnection: close\r\n"),
    b"OPTIONS /rpc HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\nAccess-Control-Request-Method: POST\r\n\r\n",
    b"GET /api/health HTTP/1.1\r\nHost: node\r\n\r\n",
    b"POST http://node/rpc/provider/alpha/eth HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n[]",
)
TOKENS = (
    *(
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
        b": ",
        b":",
        b"POST ",
        b" HTTP/1.1",
        b" HTTP/1.0",
        b"PRI * ",
    ),
    *(
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: ",
        b"Host: b\r\n",
        b"chunked, ",
    ),
    *(b"Expect: 100-continue\r\n", b"Connection: close\r\n", b"Upgrade: websocket\r\n", b"0\r\n\r\n", b"ffffffff\r\n"),
    *(
        b"/rpc",
        b"/rpc/",
        b"/ws/rpc/eth",
        b"..",
        b"%2e%2f",
        b"?",
        b"%00",
        b"http://",
        b"Content-Encoding: gzip\r\n",
        CALL,
    ),
)


def feed(data: bytes) -> str:
    size = 1 + len(data) % 251
    whole, parts = _read(data, len(data) or 1), _read(data, size)
    if whole[0] != parts[0] or (whole[1] in ENDED) != (parts[1] in ENDED):
        raise Finding(f"in one piece it is {whole}, in pieces of {size} it is {parts}")
    return f"{len(whole[0][:4])} {whole[0][-1].split()[:2] if whole[0] else ''} {whole[1]}"


def _read(data: bytes, size: int) -> tuple[list[str], str]:
    """The requests that are read of it, and what came then.

    Garbage is refused as soon as it shows, and given to another lane when it came with a whole head: both are an end.
    """
    reader, seen = RequestReader(LIMITS, HeadCache(), is_rpc), list[str]()
    try:
        for at in range(0, len(data), size):
            reader.feed(data[at : at + size])
            while (request := reader.next()) is not None:
                if request is FOREIGN:
                    return seen, "foreign"
                assert isinstance(request, HttpRequest)
                seen.append(f"{request.head.method} {request.head.version} {len(request.body)}")
    except BadRequest as bad:
        return seen, str(bad.status)
    return seen, "more"


REQUESTS = Surface("http-request", SEEDS, TOKENS, feed)
