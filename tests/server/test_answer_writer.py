"""How an answer is cut into sends, framed and compressed."""

from __future__ import annotations

import gzip

import pytest
import trio
from trio.testing import MockClock

from lasso_trio.server.answer import Answer
from lasso_trio.server.answer_writer import ONE_SEND_BYTES, PIECE_BYTES, AnswerWriter
from lasso_trio.server.connection import Connection, Peer
from lasso_trio.server.http_head import Head, parse_head


class Sends(trio.abc.Stream):
    """Remembers what was sent, send by send, and what the connection's clock said before each."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.since: list[float] = []
        self.connection: Connection | None = None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        assert self.connection is not None
        self.since.append(self.connection.since)
        self.sent.append(bytes(data))
        await trio.sleep(1)

    async def wait_send_all_might_not_block(self) -> None: ...

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return b""

    async def aclose(self) -> None: ...


def head(*lines: bytes, version: bytes = b"1.1") -> Head:
    return parse_head(b"POST /rpc HTTP/%b\r\nHost: a\r\n" % version + b"".join(lines) + b"\r\n", 100)


GZIP = head(b"Accept-Encoding: gzip\r\n")
PLAIN = head()


async def write(head: Head | None, answer: Answer, close: bool = False) -> Sends:
    stream = Sends()
    stream.connection = Connection(stream, Peer("192.0.2.1", 1), trio.current_time())
    await AnswerWriter(1_000, date=b"date: now\r\n").write(stream.connection, head, answer, close)
    return stream


async def test_small_answer_is_one_send(autojump_clock: MockClock) -> None:
    stream = await write(PLAIN, Answer(200, b"a: b\r\n", b"body"))
    assert stream.sent == [b"HTTP/1.1 200 OK\r\ndate: now\r\na: b\r\ncontent-length: 4\r\n\r\nbody"]


async def test_body_in_parts_is_one_send_too(autojump_clock: MockClock) -> None:
    stream = await write(PLAIN, Answer(200, b"", (b"bo", b"dy")), close=True)
    assert stream.sent == [b"HTTP/1.1 200 OK\r\ndate: now\r\nconnection: close\r\ncontent-length: 4\r\n\r\nbody"]


async def test_answer_to_an_unreadable_request_closes(autojump_clock: MockClock) -> None:
    stream = await write(None, Answer(400, b"", b"no"), close=True)
    assert stream.sent == [b"HTTP/1.1 400 Bad Request\r\ndate: now\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno"]


async def test_big_body_goes_in_pieces_that_show_progress(autojump_clock: MockClock) -> None:
    body = bytes(PIECE_BYTES * 2 + 1)
    stream = await write(PLAIN, Answer(200, b"", body))
    assert [len(piece) for piece in stream.sent[1:]] == [PIECE_BYTES, PIECE_BYTES, 1]
    assert b"".join(stream.sent[1:]) == body
    assert [later - stream.since[1] for later in stream.since[1:]] == [0, 1, 2]


async def test_body_is_compressed_when_asked_for_and_big_enough(autojump_clock: MockClock) -> None:
    (wire,) = (await write(GZIP, Answer(200, b"", b"x" * 1_000))).sent
    lines, _, body = wire.partition(b"\r\n\r\n")
    assert b"vary: accept-encoding\r\ncontent-encoding: gzip\r\n" in lines
    assert lines.endswith(b"content-length: %d" % len(body))
    assert gzip.decompress(body) == b"x" * 1_000


@pytest.mark.parametrize(
    ("head", "answer", "varies"),
    [
        (PLAIN, Answer(200, b"", b"x" * 1_000), True),
        (GZIP, Answer(200, b"", b"x" * 999), False),
        (GZIP, Answer(200, b"content-encoding: br\r\n", b"x" * 1_000), False),
    ],
)
async def test_body_is_not_compressed_otherwise(
    autojump_clock: MockClock, head: Head, answer: Answer, varies: bool
) -> None:
    (wire,) = (await write(head, answer)).sent
    assert b"content-encoding: gzip" not in wire
    assert (b"vary: accept-encoding" in wire) is varies
    assert wire.endswith(b"x" * 999)


@pytest.mark.parametrize("size", [ONE_SEND_BYTES, ONE_SEND_BYTES + 1])
async def test_size_decides_between_one_send_and_two(autojump_clock: MockClock, size: int) -> None:
    stream = await write(PLAIN, Answer(200, b"", bytes(size)))
    assert len(stream.sent) == (1 if size <= ONE_SEND_BYTES else 2)


async def test_date_is_renewed_by_refresh() -> None:
    writer = AnswerWriter(1_000, date=b"old")
    writer.refresh()
    assert writer.date.startswith(b"date: ")
