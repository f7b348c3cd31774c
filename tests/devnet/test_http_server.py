from __future__ import annotations

import pytest
import trio
import trio.testing

from lasso_trio.devnet.http_server import Ending, Replay, Reply, Request, converse

POST = b"POST /p HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello"
CHUNKED = b"POST /p HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
PLAIN_TEXT = (("content-type", "text/plain"),)


async def echo(request: Request) -> Reply:
    return Reply(200, request.body, PLAIN_TEXT)


async def read_all(stream: trio.abc.Stream) -> bytes:
    parts = [part async for part in stream]
    return b"".join(parts)


async def exchange(sent: bytes, nursery: trio.Nursery, reply: Reply | None = None) -> bytes:
    """All that comes back until the server closes."""

    async def answer(request: Request) -> Reply:
        return reply or await echo(request)

    ours, theirs = trio.testing.memory_stream_pair()
    nursery.start_soon(converse, theirs, answer)
    await ours.send_all(sent)
    await ours.send_eof()
    return await read_all(ours)


@pytest.mark.parametrize("request_", [POST, CHUNKED], ids=["plain", "chunked"])
@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_requests_are_read_however_they_are_cut(request_: bytes, size: int, nursery: trio.Nursery) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    nursery.start_soon(converse, theirs, echo)
    for _ in range(2):
        for start in range(0, len(request_), size):
            await ours.send_all(request_[start : start + size])
            await trio.testing.wait_all_tasks_blocked()
        assert (await ours.receive_some()).endswith(b"content-length: 5\r\n\r\nhello")
    await ours.aclose()


@pytest.mark.parametrize("second", [POST, CHUNKED], ids=["plain", "chunked"])
@pytest.mark.parametrize("first", [POST, CHUNKED], ids=["plain", "chunked"])
async def test_pipelined_requests_are_answered_in_order(first: bytes, second: bytes, nursery: trio.Nursery) -> None:
    answer = await exchange(first + second.replace(b"hello", b"again"), nursery)
    assert [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 200 OK")[1:]] == [b"hello", b"again"]


async def test_a_client_that_waits_for_100_continue_gets_it(nursery: trio.Nursery) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    nursery.start_soon(converse, theirs, echo)
    await ours.send_all(POST.replace(b"host: x", b"host: x\r\nexpect: 100-continue").removesuffix(b"hello"))
    assert (await ours.receive_some()).startswith(b"HTTP/1.1 100 Continue\r\n")
    await ours.send_all(b"hello")
    assert (await ours.receive_some()).endswith(b"hello")
    await ours.aclose()


async def test_connection_close_and_http_1_0_end_the_connection(nursery: trio.Nursery) -> None:
    for request in (POST.replace(b"host: x", b"host: x\r\nconnection: close"), POST.replace(b"HTTP/1.1", b"HTTP/1.0")):
        assert (await exchange(request + POST, nursery)).count(b"hello") == 1


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x00\x01\r\n\r\n",
        POST.replace(b"content-length: 5", b"content-length: 5\r\ncontent-length: 6"),
        CHUNKED.replace(b"5\r\n", b"zz\r\n"),
        POST[:-2],
    ],
)
async def test_nonsense_is_a_bad_request_and_the_end(nonsense: bytes, nursery: trio.Nursery) -> None:
    assert (await exchange(nonsense, nursery)).startswith(b"HTTP/1.1 400 ")


async def test_a_truncated_reply_promises_more_than_it_sends(nursery: trio.Nursery) -> None:
    answer = await exchange(POST + POST, nursery, Reply(200, b"0123456789", sent=4, ending=Ending.VANISH))
    assert b"content-length: 10" in answer
    assert b"connection: close" not in answer
    assert answer.endswith(b"\r\n\r\n0123")


async def test_a_reset_sends_nothing(nursery: trio.Nursery) -> None:
    assert await exchange(POST, nursery, Reply(None, ending=Ending.RESET)) == b""


async def test_a_reset_over_tcp_is_a_reset(nursery: trio.Nursery) -> None:
    async def reset(_: Request) -> Reply:
        return Reply(None, ending=Ending.RESET)

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, lambda stream: converse(stream, reset), listeners)
    client = await trio.testing.open_stream_to_socket_listener(listeners[0])
    await client.send_all(POST)
    with pytest.raises(trio.BrokenResourceError) as broken:
        await client.receive_some()
    assert isinstance(broken.value.__cause__, ConnectionResetError)
    await trio.aclose_forcefully(client)
    nursery.cancel_scope.cancel()


async def test_a_hanging_reply_lasts_until_the_peer_closes(nursery: trio.Nursery) -> None:
    async def hang(_: Request) -> Reply:
        return Reply(None, ending=Ending.HANG)

    ours, theirs = trio.testing.memory_stream_pair()
    ended = trio.Event()

    async def serve() -> None:
        await converse(theirs, hang)
        ended.set()

    nursery.start_soon(serve)
    await ours.send_all(POST)
    await trio.testing.wait_all_tasks_blocked()
    assert not ended.is_set()
    await ours.aclose()
    await ended.wait()


async def test_a_dripping_reply_takes_its_time(autojump_clock: trio.testing.MockClock, nursery: trio.Nursery) -> None:
    started = trio.current_time()
    answer = await exchange(POST, nursery, Reply(200, b"x" * 50, bytes_per_s=10))
    assert answer.endswith(b"x" * 50)
    assert trio.current_time() - started == pytest.approx(5)


async def test_an_upgrade_hands_over_every_byte_that_was_read(nursery: trio.Nursery) -> None:
    upgrade = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    seen: list[bytes] = []

    async def take(stream: Replay) -> None:
        seen.append(await stream.receive_some(5) + await stream.receive_some() + await stream.receive_some())

    ours, theirs = trio.testing.memory_stream_pair()
    nursery.start_soon(converse, theirs, echo, take)
    for part in (upgrade[:10], upgrade[10:] + b"early", b"late"):
        await ours.send_all(part)
        await trio.testing.wait_all_tasks_blocked()
    assert seen == [upgrade + b"earlylate"]


async def test_requests_of_web_pages_are_marked(nursery: trio.Nursery) -> None:
    async def tell(request: Request) -> Reply:
        return Reply(200, str(request.from_browser).encode())

    for origin, expected in ((b"", b"False"), (b"Origin: http://evil.example\r\n", b"True")):
        ours, theirs = trio.testing.memory_stream_pair()
        nursery.start_soon(converse, theirs, tell)
        await ours.send_all(POST.replace(b"host", origin + b"host"))
        assert (await ours.receive_some()).endswith(expected)
        await ours.aclose()
