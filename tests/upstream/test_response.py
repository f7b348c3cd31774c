"""Whatever way an answer is cut into reads, it means the same; h11 is asked what it means."""

from __future__ import annotations

from dataclasses import dataclass

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lasso_trio.upstream.faults import Disconnected, Malformed, TooLarge, UpstreamFault
from lasso_trio.upstream.response import MAX_INTERIM, ResponseReader
from lasso_trio.upstream.response_head import parse_whole

MAX = 1_000_000
VERBATIM = b"chunked, in any case"


@dataclass(frozen=True)
class Read:
    """What a reader made of the bytes; `body` None: more was needed when they ended."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    reusable: bool


def read(pieces: list[bytes], *, eof: bool = True) -> Read:
    reader = ResponseReader(MAX)
    body = b""
    for piece in pieces:
        if reader.complete:
            break
        if piece:
            reader.feed(piece)
            body += reader.take()
    if eof and not reader.complete:
        reader.feed_eof()
    assert reader.head is not None
    return Read(reader.head.status, tuple(reader.head.headers), body, reader.reusable)


def outcome(pieces: list[bytes]) -> Read | str:
    try:
        return read(pieces)
    except UpstreamFault as fault:
        return type(fault).__name__


def oracle(data: bytes) -> Read | None:
    """h11's reading, None where it refuses. It says nothing of bytes after the end, so neither does this."""
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=100_000)
    client.send(h11.Request(method="POST", target="/", headers=[("host", "x"), ("content-length", "0")]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    client.receive_data(b"")
    response, body = None, b""
    try:
        while True:
            event = client.next_event()
            if isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            elif not isinstance(event, h11.InformationalResponse):
                return None
    except h11.RemoteProtocolError:
        return None
    assert response is not None
    headers = tuple((bytes(name), bytes(value)) for name, value in response.headers)
    if (b"transfer-encoding", b"chunked") in headers:  # h11 lower-cases this one value
        headers = tuple((name, VERBATIM if name == b"transfer-encoding" else value) for name, value in headers)
    return Read(response.status_code, headers, body, client.their_state is h11.DONE and not client.trailing_data[0])


# Generating answers…

tokens = st.text("abcXYZ09-_!", min_size=1, max_size=8).map(str.encode)
values = st.text("abc XYZ,;=\"'\t:/é", max_size=12).map(lambda text: text.strip(" \t").encode("latin-1"))
framing = (b"content-length", b"transfer-encoding", b"connection", b"content-encoding")
others = st.lists(st.tuples(tokens, values).filter(lambda field: field[0].lower() not in framing), max_size=4)
bodies = st.binary(max_size=40)


@st.composite
def chunked(draw: st.DrawFn) -> bytes:
    lines = b""
    for chunk in draw(st.lists(st.binary(min_size=1, max_size=20), max_size=4)):
        size = draw(st.sampled_from([b"%x", b"%X", b"0%x"])) % len(chunk)
        extension = draw(st.sampled_from([b"", b"", b";a=b", b';a="b"']))
        lines += size + extension + b"\r\n" + chunk + b"\r\n"
    trailer = draw(st.sampled_from([b"", b"x-trailer: 1\r\n"]))
    return lines + b"0\r\n" + trailer + b"\r\n"


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    body, fields = draw(bodies), draw(others)
    kind = draw(st.sampled_from(["length", "length", "chunked", "eof"]))
    if kind == "length":
        name = draw(st.sampled_from([b"Content-Length", b"content-length", b"CONTENT-LENGTH"]))
        fields.append((name, draw(st.sampled_from([b"%d", b" %d ", b"0%d"])) % len(body)))
    elif kind == "chunked":
        fields.append((b"Transfer-Encoding", draw(st.sampled_from([b"chunked", b"Chunked"]))))
        body = draw(chunked())
    connection = draw(st.sampled_from([b"", b"", b"keep-alive", b"Keep-Alive", b"close", b"x, Close", b"upgrade"]))
    if connection:
        fields.append((b"Connection", connection))
    fields = draw(st.permutations(fields))
    version = b"1.1" if kind == "chunked" else draw(st.sampled_from([b"1.1", b"1.1", b"1.0"]))
    status = draw(st.sampled_from([b"200 OK", b"200 ", b"404 Not Found", b"204 No", b"304 N", b"503 x y", b"429"]))
    if status[:3] in (b"204", b"304"):
        body = b""
    interim = draw(st.sampled_from([b"", b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 H\r\nLink: a\r\n\r\n"]))
    head = b"HTTP/" + version + b" " + status + b"\r\n" + b"".join(b"%b: %b\r\n" % field for field in fields)
    return interim + head + b"\r\n" + body


# Properties…


@given(answers())
def test_a_valid_answer_reads_as_h11_reads_it(data: bytes) -> None:
    expected = oracle(data)
    assert expected is not None
    ours = read([data])
    headers = tuple((name, VERBATIM if name == b"transfer-encoding" else value) for name, value in ours.headers)
    assert (ours.status, headers, ours.body) == (expected.status, expected.headers, expected.body)
    assert not ours.reusable or expected.reusable or b"HTTP/1.0" in data, "h11 never keeps 1.0"


@given(answers())
@settings(max_examples=50)
def test_an_answer_reads_the_same_however_it_is_cut(data: bytes) -> None:
    whole = read([data])
    for cut in range(1, len(data)):
        halves = read([data[:cut], data[cut:]])
        assert (halves.status, halves.headers, halves.body) == (whole.status, whole.headers, whole.body)
    bytewise = read([data[i : i + 1] for i in range(len(data))])
    assert (bytewise.status, bytewise.headers, bytewise.body) == (whole.status, whole.headers, whole.body)


@given(answers())
def test_the_short_cut_for_whole_answers_agrees_with_the_reader(data: bytes) -> None:
    whole = parse_whole(data, MAX)
    if whole is not None:
        head, body = whole
        reader = ResponseReader(MAX)
        reader.feed(data)
        assert reader.head is not None
        assert (head.status, head.headers, head.length) == (reader.head.status, reader.head.headers, reader.head.length)
        assert (head.chunked, head.keep_alive, head.encoding) == (False, True, b"")
        assert (reader.head.chunked, reader.head.keep_alive, reader.head.encoding) == (False, True, b"")
        assert (reader.take(), reader.complete, reader.reusable) == (body, True, True)


@given(answers(), st.data())
def test_a_damaged_answer_is_never_read_more_generously_than_h11_does(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data)))
    wedge = draw.draw(st.sampled_from([b"\r", b"\n", b" ", b"\0", b"\r\n", b":", b"0", b"-", b"\r\n ", b"x", b","]))
    damaged = data[:at] + wedge + data[at + draw.draw(st.integers(0, 2)) :]
    ours = outcome([damaged])
    if isinstance(ours, Read):
        theirs = oracle(damaged)
        assert theirs is not None, "we accepted what h11 refuses"
        assert (ours.status, ours.body) == (theirs.status, theirs.body)
        whole = parse_whole(damaged, MAX)
        assert whole is None or whole[1] == ours.body
    else:
        assert parse_whole(damaged, MAX) is None


@given(st.binary(max_size=200))
@example(b"HTTP/1.1 200 OK\r\n\r\n")
def test_arbitrary_bytes_give_a_reading_or_a_fault(data: bytes) -> None:
    outcome([data])
    outcome([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data])


# Framing, case by case…


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", "framing"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n", "framing"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n", "framing"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n", "framing"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n", "framing"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n", "framing"),
        (b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", "framing"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n", "framing"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "framing"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n", "framing"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "framing"),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "framing"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "framing"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * (MAX_INTERIM + 1), "framing"),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\n", "head"),
        (b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n", "head"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", "head"),
        (b"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n", "head"),
        (b"HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n", "head"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "head"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "head"),
        (b"HTTP/1.1  200 OK\r\n\r\n", "head"),
        (b"HTTP/1.1 099 OK\r\n\r\n", "head"),
        (b"HTTP/2 200\r\n", "not_http"),
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n", "not_http"),
        (b"{}", "not_http"),
        (b"SSH-2.0", "not_http"),
    ],
)
def test_framing_that_two_readers_could_read_differently_is_refused(head: bytes, reason: str) -> None:
    with pytest.raises(Malformed) as caught:
        ResponseReader(MAX).feed(head)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "body",
    [
        b"g\r\n", b"0x2\r\nhi\r\n", b"-2\r\n", b"2\nhi\r\n", b"2\r\nhi!\r\n", b"2\r\nhi\n", b"\r\n", b" 2\r\nhi\r\n",
        b"2;\0\r\n", b"0\r\nbad trailer\r\n\r\n", b"1" * 16 + b"\r\n", b"2;" + b"x" * 5_000,
    ],
)  # fmt: skip
def test_chunks_that_break_the_grammar_are_refused(body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with pytest.raises(Malformed) as caught:
        ResponseReader(MAX).feed(head + body)
    assert caught.value.reason == "chunk"


def test_repeated_equal_lengths_are_one_length() -> None:
    got = read([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\nContent-Length: 2, 2\r\n\r\nok"])
    assert (got.body, got.reusable) == (b"ok", True)


@pytest.mark.parametrize("status", [b"204", b"304"])
def test_statuses_without_a_body_end_with_the_head(status: bytes) -> None:
    got = read([b"HTTP/1.1 " + status + b" x\r\nContent-Length: 0\r\n\r\n"], eof=False)
    assert (got.body, got.reusable) == (b"", True)
    announced = read([b"HTTP/1.1 " + status + b" x\r\nContent-Length: 5\r\n\r\n"], eof=False)
    assert (announced.body, announced.reusable) == (b"", False), "the body it must not send may follow"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"HTTP/1.1 200", "truncated"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "truncated"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "truncated"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", "truncated"),
    ],
)
def test_an_end_in_the_middle_is_a_truncation(data: bytes, reason: str) -> None:
    with pytest.raises(Disconnected) as caught:
        read([data])
    assert caught.value.reason == reason


def test_an_end_is_the_end_of_an_answer_without_framing() -> None:
    got = read([b"HTTP/1.1 200 OK\r\n\r\nall ", b"of it"])
    assert (got.body, got.reusable) == (b"all of it", False)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000001\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf4241\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX + 1),
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 257 + b"\r\n",
    ],
)
def test_what_is_beyond_a_cap_is_refused_as_soon_as_it_is_known(data: bytes) -> None:
    with pytest.raises(TooLarge):
        ResponseReader(MAX).feed(data)


def test_a_dripped_head_is_refused_at_its_cap_too() -> None:
    reader = ResponseReader(MAX)
    for piece in [b"HTTP/1.1 200 OK\r\nA: ", *[b"x" * 1_000] * 65]:
        reader.feed(piece)
    with pytest.raises(TooLarge):
        reader.feed(b"x" * 1_000)


def test_bytes_to_come_are_known_from_the_length_only() -> None:
    reader = ResponseReader(MAX)
    assert reader.left is None
    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123")
    assert reader.left == 7
    reader.feed(b"4567890")
    assert reader.left == 0
    reader = ResponseReader(MAX)
    reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n")
    assert reader.left is None
