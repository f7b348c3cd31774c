"""Answers of the rpc lane that are streams: how they are framed, how they fail, and that they are always closed."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from lasso_trio.server.answer import Answer
from lasso_trio.server.connection import Peer
from lasso_trio.server.http_request import HttpRequest

OpenDoor = Callable[..., Awaitable[Any]]


def post(body: bytes = b"hi", *lines: bytes, target: bytes = b"/rpc/eth", version: bytes = b"1.1") -> bytes:
    head = b"POST %b HTTP/%b\r\nHost: a\r\n%bContent-Length: %d\r\n\r\n"
    return head % (target, version, b"".join(line + b"\r\n" for line in lines), len(body)) + body


class Chunks:
    """A stream of `chunks`; an exception among them is raised. Knows whether it was closed."""

    def __init__(self, *chunks: bytes | Exception) -> None:
        self.chunks = list(chunks)
        self.closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        if not self.chunks:
            raise StopAsyncIteration
        chunk = self.chunks.pop(0)
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()
        self.closed = True


async def streamed(open_door: OpenDoor, answer: Answer, wire: bytes) -> bytes:
    async def handler(request: HttpRequest, peer: Peer) -> Answer:
        return answer

    client = (await open_door(handler)).connect()
    await client.stream.send_all(wire)
    await client.stream.send_eof()
    got: bytes = await client.read_to_end()
    assert isinstance(answer.stream, Chunks)
    assert answer.stream.closed
    return got


async def test_stream_of_unknown_length_is_chunked_with_an_end(open_door: OpenDoor) -> None:
    stream = Chunks(b"two", b"", b"three")
    got = await streamed(open_door, Answer(200, body=b"one", stream=stream), post())
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert body == b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n"


async def test_stream_of_known_length_is_sent_as_it_is(open_door: OpenDoor) -> None:
    got = await streamed(open_door, Answer(200, body=(b"o", b"ne"), stream=Chunks(b"two"), length=6), post())
    assert b"content-length: 6\r\n" in got
    assert got.endswith(b"\r\n\r\nonetwo")


async def test_stream_for_http_1_0_ends_with_the_connection(open_door: OpenDoor) -> None:
    wire = post(b"", b"Connection: keep-alive", version=b"1.0")
    head, _, body = (await streamed(open_door, Answer(200, stream=Chunks(b"abc")), wire)).partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert b"content-length" not in head
    assert b"connection: close" in head
    assert body == b"abc"


@pytest.mark.parametrize(
    ("stream", "length"),
    [
        (Chunks(b"two", ValueError("source failed")), None),
        (Chunks(b"two", trio.BrokenResourceError("source failed")), None),
        (Chunks(b"two"), 7),
        (Chunks(b"two"), 5),
    ],
)
async def test_stream_that_fails_ends_the_connection_without_a_clean_end(
    open_door: OpenDoor, stream: Chunks, length: int | None
) -> None:
    got = await streamed(open_door, Answer(200, body=b"one", stream=stream, length=length), post() + post())
    assert got.count(b"HTTP/1.1") == 1
    assert not got.endswith(b"0\r\n\r\n")
    assert len(got.partition(b"\r\n\r\n")[2]) != length


async def test_stream_is_closed_when_the_client_leaves(open_door: OpenDoor) -> None:
    stream = Chunks(*[b"x"] * 1_000_000)

    async def handler(request: HttpRequest, peer: Peer) -> Answer:
        return Answer(200, stream=stream)

    house = await open_door(handler)
    client = house.connect()
    await client.stream.send_all(post())
    await client.stream.receive_some(10)
    await client.stream.aclose()
    with trio.fail_after(5):
        while not stream.closed:
            await trio.lowlevel.checkpoint()
    await wait_all_tasks_blocked()
    assert house.door.active == 0


async def test_stream_is_compressed_for_who_asks(open_door: OpenDoor) -> None:
    stream = Chunks(b"b" * 50_000, b"c")
    got = await streamed(
        open_door, Answer(200, body=b"a", stream=stream, length=50_002), post(b"", b"Accept-Encoding: gzip")
    )
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"content-encoding: gzip" in head
    assert b"vary: accept-encoding" in head
    assert b"content-length" not in head
    pieces = re.findall(rb"[0-9a-f]+\r\n(.*?)\r\n(?=[0-9a-f]+\r\n)", body, re.DOTALL)
    assert gzip.decompress(b"".join(pieces)) == b"a" + b"b" * 50_000 + b"c"
