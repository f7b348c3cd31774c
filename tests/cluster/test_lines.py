"""The way to another node, over loopback: what its failures show of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
import trio

from lasso_trio.cluster.address import Address
from lasso_trio.cluster.lifecycle import Sign
from lasso_trio.cluster.lines import PATH, Failure, Lines
from lasso_trio.upstream.faults import ConnectFault

Say = Callable[[bytes], bytes | None]


async def serve(nursery: trio.Nursery, say: Say) -> Address:
    """A server that answers each request's bytes with `say` of them; None: it says nothing."""

    async def handle(stream: trio.SocketStream) -> None:
        async for data in stream:
            told = say(data)
            if told is None:
                await trio.sleep_forever()
            else:
                await stream.send_all(told)

    (listener, *_) = await nursery.start(partial(trio.serve_tcp, handle, 0, host="127.0.0.1"))
    return Address(*listener.socket.getsockname())


def http(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


@pytest.fixture
def lines() -> Iterator[Lines]:
    made = Lines()
    yield made
    made.close()


async def fails(lines: Lines, address: Address, patience_s: float = 5.0) -> Failure:
    with pytest.raises(Failure) as caught:
        await lines.ask(address, b"frame", trio.current_time() + patience_s)
    return caught.value


async def test_a_frame_is_posted_and_the_answers_body_comes_back_on_a_kept_connection(
    nursery: trio.Nursery, lines: Lines
) -> None:
    asked: list[bytes] = []

    def say(data: bytes) -> bytes:
        asked.append(data)
        return http(200, b"told")

    address = await serve(nursery, say)
    for _ in range(2):
        assert await lines.ask(address, b"\x00frame", trio.current_time() + 5) == b"told"
    assert asked[0].startswith(f"POST {PATH} HTTP/1.1\r\n".encode())
    assert asked[0].endswith(b"\r\n\r\n\x00frame")
    lines.expire()


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [(401, b'{"error":"secret"}', "secret"), (404, b'{"errors":{}}', "http_404"), (502, b"?", "http_502")],
)
async def test_whoever_says_no_is_there(
    nursery: trio.Nursery, lines: Lines, status: int, body: bytes, reason: str
) -> None:
    failure = await fails(lines, await serve(nursery, lambda _: http(status, body)))
    assert (failure.reason, failure.sign) == (reason, Sign.THERE)


async def test_nobody_there_is_told_from_silence(nursery: trio.Nursery, lines: Lines) -> None:
    silent = await serve(nursery, lambda _: None)
    failure = await fails(lines, silent, 0.05)
    assert (failure.reason, failure.sign) == ("deadline", Sign.SILENT)
    with trio.socket.socket() as sock:
        await sock.bind(("127.0.0.1", 0))
        gone = Address(*sock.getsockname())
    failure = await fails(lines, gone)
    assert (failure.reason, failure.sign) == ("refused", Sign.GONE)
    await lines.drop(gone)
    await lines.drop(gone)


async def test_our_own_shortage_is_not_held_against_the_node(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    async def exhausted(*_: object, **__: object) -> None:
        await trio.lowlevel.checkpoint()
        raise ConnectFault("no_descriptors", local=True)

    monkeypatch.setattr("lasso_trio.upstream.http1.Pool.exchange", exhausted)
    failure = await fails(lines, Address("127.0.0.1", 9))
    assert (failure.reason, failure.sign) == ("no_descriptors", None)
