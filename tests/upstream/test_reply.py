"""Small answers come whole, large ones as a beginning and a stream that reads only when asked."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from lasso_trio.upstream.faults import Disconnected, Malformed, TooLarge
from lasso_trio.upstream.http1 import Pool
from lasso_trio.upstream.reply import Reply

if TYPE_CHECKING:
    from tests.upstream.conftest import Line, Provider, Script

KIB = 1024
LARGE = bytes(range(256)) * 4 * KIB


def says(*pieces: bytes, then_ends: bool = False) -> Script:
    async def script(line: Line) -> None:
        while await line.read_request() is not None:
            for piece in pieces:
                await line.say(piece)
                await wait_all_tasks_blocked()
            if then_ends:
                await line.hang_up()
                return

    return script


def sized(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers, b"", body])


def cut(data: bytes, size: int = 64 * KIB) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


async def fetch(provider: Provider, *, gzip: bool = False, cap: int = 128 * KIB * KIB) -> tuple[Pool, Reply]:
    pool = Pool(provider.endpoint, dial=provider.dial, max_response_bytes=cap)
    return pool, await pool.exchange(b"x", replay_safe=True, gzip=gzip)


async def rest_of(reply: Reply) -> list[bytes]:
    assert reply.rest is not None
    return [piece async for piece in reply.rest]


async def test_a_reply_tells_its_headers(provider: Provider) -> None:
    provider.script = says(b"HTTP/1.1 429 Slow\r\nRetry-After: 3\r\nA: 1\r\na: 2\r\nContent-Length: 2\r\n\r\nno")
    _, reply = await fetch(provider)
    assert reply.status == 429
    assert reply.header(b"retry-after") == b"3"
    assert reply.header(b"absent") is None
    assert reply.headers == [(b"retry-after", b"3"), (b"a", b"1"), (b"a", b"2"), (b"content-length", b"2")]
    assert "no" not in repr(reply).replace("None", "")


async def test_a_body_within_the_threshold_comes_whole_from_many_reads(provider: Provider) -> None:
    body = LARGE[: 200 * KIB]
    provider.script = says(*cut(sized(body), 50 * KIB))
    pool, reply = await fetch(provider)
    assert (reply.body, reply.rest, reply.content_length) == (body, None, len(body))
    assert pool.idle == 1


async def test_a_large_body_is_a_beginning_and_a_stream(provider: Provider) -> None:
    provider.script = says(*cut(sized(LARGE)))
    pool, reply = await fetch(provider)
    assert 256 * KIB <= len(reply.body) <= 400 * KIB
    assert reply.content_length == len(LARGE)
    assert (pool.busy, pool.idle) == (1, 0), "the stream owns the connection"
    pieces = await rest_of(reply)
    assert reply.body + b"".join(pieces) == LARGE
    assert max(map(len, pieces)) <= 64 * KIB
    assert (pool.busy, pool.idle) == (0, 1)
    assert await rest_of(reply) == []
    assert reply.rest is not None
    await reply.rest.aclose()
    assert pool.idle == 1


async def test_nothing_is_read_that_was_not_asked_for(provider: Provider) -> None:
    reads = 0

    async def count() -> None:
        nonlocal reads
        reads += 1

    async def script(line: Line) -> None:
        line.client.receive_stream.receive_some_hook = count
        await line.read_request()
        await line.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await line.say((b"8000\r\n" + bytes(0x8000) + b"\r\n") * 32 + b"0\r\n\r\n")

    provider.script = script
    pool, reply = await fetch(provider)
    assert len(reply.body) <= 320 * KIB
    assert reply.content_length is None
    assert reply.rest is not None
    before = reads
    await wait_all_tasks_blocked()
    assert reads == before
    await anext(reply.rest)
    assert reads == before + 1
    await rest_of(reply)
    assert pool.idle == 1


async def test_a_stream_left_early_closes_its_connection(provider: Provider) -> None:
    provider.script = says(*cut(sized(LARGE)))
    pool, reply = await fetch(provider)
    assert reply.rest is not None
    await anext(reply.rest)
    await reply.rest.aclose()
    assert (pool.busy, pool.idle, provider.open_lines) == (0, 0, 0)
    assert pool.counters.closed == {"unread": 1}


async def test_a_cancelled_wait_for_a_piece_can_be_repeated(provider: Provider) -> None:
    go_on = trio.Event()

    async def script(line: Line) -> None:
        await line.read_request()
        data = sized(LARGE)
        await line.say(data[: 300 * KIB])
        await go_on.wait()
        await line.say(data[300 * KIB :])

    provider.script = script
    pool, reply = await fetch(provider)
    assert reply.rest is not None
    with trio.move_on_after(0) as scope:
        await anext(reply.rest)
    assert scope.cancelled_caught
    go_on.set()
    got = reply.body + b"".join(await rest_of(reply))
    assert got == LARGE
    assert pool.idle == 1


async def test_a_stream_that_is_cut_says_so_and_gives_its_slot_back(provider: Provider) -> None:
    provider.script = says(*cut(sized(LARGE)[:-1]), then_ends=True)
    pool, reply = await fetch(provider)
    with pytest.raises(Disconnected) as caught:
        await rest_of(reply)
    assert caught.value.reason == "truncated"
    assert "http://provider.test" in str(caught.value)
    assert (pool.busy, pool.idle) == (0, 0)


async def test_an_answer_that_ends_with_the_connection_can_be_large(provider: Provider) -> None:
    provider.script = says(*cut(b"HTTP/1.1 200 OK\r\n\r\n" + LARGE), then_ends=True)
    pool, reply = await fetch(provider)
    assert reply.body + b"".join(await rest_of(reply)) == LARGE
    assert (pool.busy, pool.idle) == (0, 0)


# The cap…


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(sized(bytes(200 * KIB)), id="announced"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(200 * KIB), id="up to the end"),
        pytest.param(sized(gzip.compress(bytes(200 * KIB)), b"Content-Encoding: gzip"), id="gzip"),
    ],
)
async def test_an_answer_beyond_the_cap_is_refused(provider: Provider, answer: bytes) -> None:
    provider.script = says(answer)
    pool = Pool(provider.endpoint, dial=provider.dial, max_response_bytes=100 * KIB)
    with pytest.raises(TooLarge):
        await pool.exchange(b"x", replay_safe=True)
    assert (pool.busy, pool.idle) == (0, 0)


async def test_the_cap_holds_for_the_stream_too(provider: Provider) -> None:
    provider.script = says(*cut(b"HTTP/1.1 200 OK\r\n\r\n" + LARGE))
    pool, reply = await fetch(provider, cap=500 * KIB)
    with pytest.raises(TooLarge):
        await rest_of(reply)
    assert (pool.busy, pool.idle) == (0, 0)


# Gzip…


async def test_gzip_is_asked_for_and_undone(provider: Provider) -> None:
    provider.script = says(sized(gzip.compress(b"hello"), b"Content-Encoding: GZIP"))
    pool, reply = await fetch(provider, gzip=True)
    assert (reply.body, reply.rest, reply.content_length) == (b"hello", None, None)
    assert pool.idle == 1


async def test_gzip_streams_in_small_pieces_however_well_it_packs(provider: Provider) -> None:
    text = bytes(5_000 * KIB)
    provider.script = says(sized(gzip.compress(text), b"Content-Encoding: gzip"))
    pool, reply = await fetch(provider, gzip=True)
    assert len(reply.body) <= 321 * KIB
    pieces = await rest_of(reply)
    assert len(reply.body) + sum(map(len, pieces)) == len(text)
    assert max(map(len, pieces)) <= 64 * KIB
    assert pool.idle == 1


@pytest.mark.parametrize("encoding", [b"br", b"gzip"])
async def test_what_cannot_be_undone_is_malformed(provider: Provider, encoding: bytes) -> None:
    provider.script = says(sized(b"not gzip at all", b"Content-Encoding: " + encoding))
    pool = Pool(provider.endpoint, dial=provider.dial)
    with pytest.raises(Malformed):
        await pool.exchange(b"x", replay_safe=True)
    assert (pool.busy, pool.idle) == (0, 0)


# Timings…


async def test_every_stage_is_timed(provider: Provider, autojump_clock: trio.abc.Clock) -> None:
    async def script(line: Line) -> None:
        while await line.read_request() is not None:
            await trio.sleep(1)
            await line.say(b"HTTP/1.1 200 OK\r\n")
            await trio.sleep(2)
            await line.say(b"Content-Length: 2\r\n\r\nok")

    provider.script = script
    pool = Pool(provider.endpoint, dial=provider.dial, max_connections=1)
    first = (await pool.exchange(b"x", replay_safe=True)).timings
    assert (first.resolve, first.connect, first.tls, first.waited) == (0.1, 0.2, 0.3, 0.0)
    assert (first.first_byte, first.last_byte) == (1.0, 3.0)
    second: list[Reply] = []

    async def call() -> None:
        second.append(await pool.exchange(b"x", replay_safe=True))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        nursery.start_soon(call)
    kept, queued = (reply.timings for reply in second)
    assert (kept.connect, kept.waited, kept.last_byte) == (0.0, 0.0, 3.0)
    assert (queued.connect, queued.waited, queued.first_byte) == (0.0, 3.0, 1.0)


async def test_a_streams_last_byte_is_when_it_ends(provider: Provider, autojump_clock: trio.abc.Clock) -> None:
    async def script(line: Line) -> None:
        await line.read_request()
        data = sized(LARGE)
        await line.say(data[: 300 * KIB])
        await trio.sleep(5)
        await line.say(data[300 * KIB :])

    provider.script = script
    _, reply = await fetch(provider)
    assert reply.timings.last_byte == 0.0
    await rest_of(reply)
    assert reply.timings.last_byte == 5.0
