"""What a provider says over a WebSocket, upgrade and all: the session ends as a value, whatever comes.

`KEY!` in an input stands for the answer to the upgrade's key, which is another one each time.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio
from trio.testing import memory_stream_pair

from lasso_trio.config.secret import SecretUrl
from lasso_trio.upstream import ws_message
from lasso_trio.upstream.dialled import Dialled
from lasso_trio.upstream.websocket import Life, Socket, hold, ws_endpoint
from tests.fuzz.surface import AsyncFeed, Finding, Surface

PLACE = b"KEY!"
_ENDPOINT = ws_endpoint(SecretUrl("ws://node.example:8546/v3/key"), {})
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_UPGRADE = b"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: KEY!\r\n\r\n"


def _frame(text: bytes, opcode: int = 0x81) -> bytes:
    size = bytes((len(text),)) if len(text) < 126 else b"\x7e" + len(text).to_bytes(2, "big")
    return bytes((opcode,)) + size + text


_ANSWER = _frame(b'{"jsonrpc":"2.0","id":1,"result":"0x1"}')
_NEWS = _frame(
    b'{"jsonrpc":"2.0","method":"eth_subscription","params":{"subscription":"0x9","result":{"number":"0x1"}}}'
)
SEEDS = (
    _UPGRADE + _ANSWER + _NEWS + _frame(b"\x03\xe8", 0x88),
    _UPGRADE + _frame(b'{"jsonrpc"', 0x01) + _frame(b"ping", 0x89) + _frame(b':"2.0"}', 0x80) + _NEWS * 3,
    _UPGRADE + _NEWS + _frame(b"\x03\xf4restarting", 0x88),
    b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 301 Go\r\nLocation: http://else.example/\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
)
TOKENS = (
    *(_UPGRADE, _ANSWER, _NEWS, _frame(b"", 0x89), _frame(b"\x03\xed", 0x88), _frame(b"\0", 0x88), _frame(b"\xff")),
    *(b"\x81\x7f" + b"\xff" * 8, b"\x81\x7e\xff\xff", b"\x81\x85aaaahello", b"\xc1\0", b"\x83\0", b"\1\0" * 40, PLACE),
    *(
        b"\r\n",
        b"\r\n\r\n",
        b"HTTP/1.1 ",
        b"101",
        b"Sec-WebSocket-Extensions: permessage-deflate\r\n",
        b"Upgrade: ws\r\n",
    ),
)


async def feed(data: bytes) -> str:
    ours, theirs = memory_stream_pair()
    heard: list[str] = []

    async def dial() -> Dialled:
        await trio.lowlevel.checkpoint()
        return Dialled(ours)

    async def live(socket: Socket) -> None:
        while True:
            heard.append(type(ws_message.read(await socket.receive())).__name__)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_provider, theirs, data)
        ending = await hold(_ENDPOINT, dial, Life(live))
        nursery.cancel_scope.cancel()
    if len(ending.text) > 200:
        raise Finding("more of the peer's words than are shown")
    return (
        f"{ending.reason} {ending.code if ending.code in (None, 1000, 1002, 1006, 1012, 429) else 'else'} {heard[:3]}"
    )


async def _provider(stream: trio.StapledStream, data: bytes) -> None:
    try:
        head = bytearray()
        while b"\r\n\r\n" not in head:
            head += await stream.receive_some(65_536)
        await stream.send_all(data.replace(PLACE, _accepted(bytes(head))))
        await stream.send_stream.aclose()
        while await stream.receive_some(65_536):
            pass
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass


def _accepted(head: bytes) -> bytes:
    key = next(line[19:] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: "))
    return base64.b64encode(hashlib.sha1(key + _MAGIC, usedforsecurity=False).digest())


@asynccontextmanager
async def opened() -> AsyncIterator[AsyncFeed]:
    await trio.lowlevel.checkpoint()
    yield feed


SESSIONS = Surface("upstream-websocket", SEEDS, TOKENS, opened=opened)
