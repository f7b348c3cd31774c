"""What upstreams answer: HTTP's framing and codings, the reply's check, the classifier, hints, and their WebSocket."""

from __future__ import annotations

import gzip

from lasso_trio.errors import LassoError
from lasso_trio.jsonrpc.large_reply import recognise
from lasso_trio.jsonrpc.reply import BrokenReply, Reply, check
from lasso_trio.providers.classify import classify
from lasso_trio.providers.hint import hint_in
from lasso_trio.providers.limit_texts import read_limits
from lasso_trio.routing import log_filter, shown_block
from lasso_trio.routing.log_answer import read_part
from lasso_trio.subscriptions import header, log, transaction
from lasso_trio.upstream import ws_message
from lasso_trio.upstream.content_coding import decoder_for
from lasso_trio.upstream.faults import UpstreamFault
from lasso_trio.upstream.response import ResponseReader
from lasso_trio.upstream.response_head import ResponseHead, parse_whole
from tests.fuzz.surface import Finding, Surface

MOST = 65_536
_OK = b'{"jsonrpc":"2.0","id":7,"result":"0x1"}'
_REFUSED = b'{"jsonrpc":"2.0","id":7,"error":{"code":-32005,"message":"query exceeds limit 10000, try again in 2s"}}'
_REVERT = b'{"jsonrpc":"2.0","id":7,"error":{"code":3,"message":"execution reverted","data":"0x08c379a0"}}'
_LOG = (
    b'{"address":"0x%b","topics":["0x%b"],"data":"0x","blockNumber":"0x10","transactionHash":"0x%b",'
    b'"transactionIndex":"0x0","blockHash":"0x%b","logIndex":"0x0","removed":false}'
) % (b"a" * 40, b"b" * 64, b"c" * 64, b"d" * 64)
_HEADER = b'{"number":"0x10","hash":"0x%b","parentHash":"0x%b","timestamp":"0x5","logsBloom":"0x%b"}' % (
    b"a" * 64,
    b"b" * 64,
    b"0" * 512,
)
_NEWS = b'{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x9","result":%b}}'
_SIZED = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%b\r\n%b"


def _sized(body: bytes, status: int = 200, more: bytes = b"") -> bytes:
    return _SIZED % (status, len(body), more, body)


def _chunked(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x;a=b\r\n%b\r\n0\r\nT: 1\r\n\r\n" % (len(body), body)


HTTP_SEEDS = (
    _sized(_OK),
    _sized(_REFUSED, 429, b"Retry-After: 7\r\nX-RateLimit-Reset: 12\r\n"),
    _sized(_REVERT),
    _sized(b"<html>bad gateway</html>", 502),
    _sized(gzip.compress(_OK, mtime=0), 200, b"Content-Encoding: gzip\r\n"),
    _chunked(_OK),
    b"HTTP/1.1 100 Continue\r\n\r\n" + _chunked(_REFUSED),
    b"HTTP/1.0 200 OK\r\n\r\n" + _OK,
    b"HTTP/1.1 204 No\r\n\r\n",
    _sized(b'{"jsonrpc":"2.0","id":7,"result":[%b,%b]}' % (_LOG, _LOG)),
)
HTTP_TOKENS = (
    *(b"\r\n", b"\r\n\r\n", b"\n", b"\r", b": ", b"chunked", b"gzip", b"close", b"keep-alive", b"HTTP/1.1 ", b"0\r\n"),
    *(b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n", b"Connection: close\r\n"),
    *(b"ffffffffffffffff\r\n", b";" * 30, b"Retry-After: ", b"Content-Length: 5\r\n", b'"error":', b'"result":'),
)
JSON_TOKENS = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"null", b"\\u0000", b"\\ud800", b"\xed\xa0\x80", b" ", b"\\"),
    *(b'"id":7', b'"id":', b'"result":', b'"error":null', b'"error":{"code":3}', b'"jsonrpc":"2.0"', b'"code":', b"7"),
    *(b"[" * 600, b'{"a":' * 600, b'"message":', b'"data":', b"rate limit", b"block range", b"retry after 1e400 s"),
    *(b'"method":"eth_subscription"', b'"params":', b'"subscription":', b'"number":', b'"removed":true', b'"0x10"'),
)


def feed_http(data: bytes) -> str:
    """In one piece as the usual way has it, then in pieces of a size that depends on it."""
    whole = parse_whole(data, MOST)
    try:
        head, body, reusable = _read(data)
    except UpstreamFault as fault:
        if whole is not None:
            raise Finding("the short way takes what the long way refuses") from fault
        return f"fault {fault.reason}"
    if whole is not None and (whole[0].status, whole[1], True) != (head.status, body, reusable):
        raise Finding("the short way reads something else than the long way")
    return f"{head.status // 100} {head.encoding[:8]!r} {head.chunked} {feed_reply(body, head)}"


def _read(data: bytes) -> tuple[ResponseHead, bytes, bool]:
    reader, size = ResponseReader(MOST), 1 + len(data) % 997
    body = bytearray()
    for at in range(0, len(data), size):
        reader.feed(data[at : at + size])
        body += reader.take()
        if reader.complete:
            break
    else:
        reader.feed_eof()
    assert reader.head is not None
    return reader.head, _decoded(reader.head, bytes(body)), reader.reusable


def _decoded(head: ResponseHead, body: bytes) -> bytes:
    decoder = decoder_for(head.encoding, MOST)
    if decoder is None:
        return body
    out = bytearray()
    decoder.push(body)
    while piece := decoder.pull():
        out += piece
    decoder.finish()
    if len(out) > MOST:
        raise Finding("more was unpacked than is allowed")
    return bytes(out)


def feed_reply(body: bytes, head: ResponseHead | None = None) -> str:
    """The reply to our request 7, whole, and as one that is passed on while it comes."""
    streamed = _streamed(body)
    try:
        reply = check(body, 7)
    except BrokenReply as broken:
        return f"broken {broken.reason} {streamed}"
    if reply.error is None:
        return f"result {_used(reply)} {streamed}"
    error = reply.error
    verdict = classify(200 if head is None else head.status, error.code, error.text, error.data)
    hint_in(_field(head), error.data, error.text, 1_800_000_000.0)
    return f"{verdict.category} {len(read_limits(error.text))} {streamed}"


def _field(head: ResponseHead | None):  # noqa: ANN202  (a reader of header fields, as `hint` has it)
    fields = {} if head is None else dict(head.headers)
    return lambda name: fields.get(name)


def _used(reply: Reply) -> str:
    """As a client's answer, and as what routing reads of it."""
    text = reply.splice(b'"abc"')
    if check(text.replace(b'"abc"', b"7", 1) if text.count(b'"abc"') == 1 else reply.splice(b"7"), 7).error is not None:
        raise Finding("a result became an error")
    shown_block.shown_block("eth_getBlockByNumber", b'["latest",false]', reply)
    query = log_filter.read(b'[{"fromBlock":"0x10","toBlock":"0x20"}]')
    assert query is not None
    try:
        return f"{len(read_part(query, reply).logs)} logs"
    except (BrokenReply, LassoError, ValueError) as error:
        return type(error).__name__


def _streamed(body: bytes) -> str:
    large = recognise(body[:256], 7, b'"abc"')
    if large is None:
        return "held"
    try:
        large.feed(body[256:])
        large.finish(b"")
    except BrokenReply as broken:
        return f"cut {broken.reason}"
    return "streamed"


def feed_message(data: bytes) -> str:
    """A message on an upstream's WebSocket, and what subscriptions read of its news."""
    message = ws_message.read(data)
    if not isinstance(message, ws_message.News):
        return type(message).__name__ if isinstance(message, ws_message.Noise) else feed_reply(data)
    return " ".join(_tried(reader, message.result) for reader in (header.of_event, log.read, transaction.hash_of))


def _tried(reader, raw: bytes) -> str:  # noqa: ANN001
    try:
        reader(raw)
    except (LassoError, ValueError) as refused:
        return type(refused).__name__
    return "read"


RESPONSES = Surface("upstream-http", HTTP_SEEDS, HTTP_TOKENS + JSON_TOKENS, feed_http)
_REPLIES = (_OK, _REFUSED, _REVERT, b'{"id":7,"jsonrpc":"2.0","result":[%b]}' % _LOG, b"[%b]" % _OK, b'{"result":1e5}')
REPLIES = Surface("upstream-reply", _REPLIES, JSON_TOKENS, feed_reply)
_MESSAGES = (_OK, _NEWS % _HEADER, _NEWS % _LOG, _NEWS % (b'"0x%b"' % (b"e" * 64)), _REFUSED)
MESSAGES = Surface("upstream-message", _MESSAGES, JSON_TOKENS, feed_message)
