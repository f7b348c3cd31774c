"""The floor: what a bare trio HTTP server costs that answers by itself. `python echo_floor.py PORT`.

No parsing beyond the end of the head, no upstream: whatever runs on trio and Python pays at least this.
"""

from __future__ import annotations

import re
import sys

import trio

ID = re.compile(rb'"id":(\d+)')
LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)


async def converse(stream: trio.SocketStream) -> None:
    inbox = b""
    while data := await stream.receive_some(65_536):
        inbox += data
        while (end := request_end(inbox)) is not None:
            await stream.send_all(respond(inbox[:end]))
            inbox = inbox[end:]


def request_end(inbox: bytes) -> int | None:
    split = inbox.find(b"\r\n\r\n")
    if split < 0:
        return None
    found = LENGTH.search(inbox, 0, split + 2)
    end = split + 4 + (int(found.group(1)) if found else 0)
    return end if len(inbox) >= end else None


def respond(request: bytes) -> bytes:
    found = ID.search(request)
    content = b'{"jsonrpc":"2.0","id":%b,"result":"0x1"}' % (found.group(1) if found else b"null")
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        len(content),
        content,
    )


async def contained(stream: trio.SocketStream) -> None:
    try:
        await converse(stream)
    except trio.BrokenResourceError:
        await trio.aclose_forcefully(stream)


async def main(port: int) -> None:
    await trio.serve_tcp(contained, port, host="127.0.0.1")


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]))
