"""The reader against h11, against every way of cutting the bytes, and against what must be refused."""

from __future__ import annotations

import contextlib

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.server.head_cache import HeadCache
from lasso_trio.server.http_request import FOREIGN, HttpRequest, RequestReader
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.refusal import BadRequest, Kind

LIMITS = LaneLimits(max_body_bytes=1_000, max_head_bytes=2_000)

TOKEN = st.text("abcdefghijklmnopqrstuvwxyz-0123456789", min_size=1, max_size=12).map(lambda text: "x-" + text)
VALUE = st.text("abc XYZ09;,=\"'()\t\xe9", max_size=20).map(lambda text: text.strip(" \t"))
HEADERS = st.lists(st.tuples(TOKEN, VALUE), max_size=5)
TARGET = st.text("abcxyz/%?&=.-_~:@", max_size=20).map(lambda text: "/" + text)


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """One request on the wire, written by h11, and its body."""
    body = draw(st.binary(max_size=60))
    framing = draw(st.sampled_from(["length", "chunked"]))
    length = ("content-length", str(len(body))) if framing == "length" else ("transfer-encoding", "chunked")
    headers = [("Host", "a"), *draw(HEADERS), length]
    client = h11.Connection(h11.CLIENT)
    wire = client.send(
        h11.Request(
            method=draw(st.sampled_from(["POST", "OPTIONS"])),
            target=draw(TARGET),
            headers=[(name, value.encode("latin-1")) for name, value in headers],
        )
    )
    assert wire is not None
    for part in (body[:7], body[7:]):
        wire += client.send(h11.Data(data=part)) or b""
    return wire + (client.send(h11.EndOfMessage()) or b""), body


def read_by_h11(wire: bytes) -> tuple[bytes, bytes, list[tuple[bytes, bytes]], bytes]:
    server = h11.Connection(h11.SERVER)
    server.receive_data(wire)
    request = server.next_event()
    assert isinstance(request, h11.Request)
    body = b""
    while isinstance(event := server.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    return request.method, request.target, list(request.headers), body


def read_all(reader: RequestReader, wire: bytes, sizes: list[int]) -> list[HttpRequest]:
    """Feed `wire` in pieces of `sizes` (the last takes what is left), only ever when the reader asks for more."""
    found = []
    for size in [*sizes, len(wire) or 1]:
        piece, wire = wire[:size], wire[size:]
        reader.feed(piece)
        while (request := reader.next()) is not None:
            assert request is not FOREIGN
            found.append(request)
    return found


@given(requests(), st.lists(st.integers(1, 30), max_size=40))
def test_valid_request_is_read_as_h11_reads_it(request_: tuple[bytes, bytes], sizes: list[int]) -> None:
    wire, body = request_
    (ours,) = read_all(RequestReader(LIMITS), wire, sizes)
    assert ours.body == body
    method, target, headers, h11_body = read_by_h11(wire)
    assert (ours.head.method.encode(), ours.head.target.encode(), ours.body) == (method, target, h11_body)
    assert list(ours.head.headers) == headers


@given(st.lists(requests(), min_size=1, max_size=4), st.lists(st.integers(1, 50), max_size=40))
def test_pipelined_requests_come_out_in_order_however_they_are_cut(
    many: list[tuple[bytes, bytes]], sizes: list[int]
) -> None:
    heads = HeadCache(entries=4)
    for _ in range(2):  # the second time, the heads are known
        found = read_all(RequestReader(LIMITS, heads), b"".join(wire for wire, _ in many), sizes)
        assert [request.body for request in found] == [body for _, body in many]


def test_every_single_cut_gives_the_same_request() -> None:
    sized = b"POST /rpc HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    chunked = (
        b"POST /rpc HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x\r\nllo\r\n0\r\nT: 1\r\n\r\n"
    )
    wire = b"\r\n" + sized + b"\r\n" + chunked + sized
    for cut in range(1, len(wire)):
        found = read_all(RequestReader(LIMITS), wire, [cut])
        assert [request.body for request in found] == [b"hello"] * 3
    assert len(read_all(RequestReader(LIMITS), wire, [1] * len(wire))) == 3


@given(st.binary(max_size=120), st.lists(st.integers(1, 9), max_size=20))
def test_any_bytes_are_read_refused_or_waited_for(noise: bytes, sizes: list[int]) -> None:
    for wire in (noise, b"POST /rpc HTTP/1.1\r\n" + noise, b"POST /rpc HTTP/1.1\r\nHost: a\r\n" + noise + b"\r\n\r\n"):
        with contextlib.suppress(BadRequest):
            read_all(RequestReader(LIMITS), wire, sizes)


# The short way…

WIRE = b"POST /rpc HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"


def test_repeated_head_is_taken_from_the_cache_and_is_the_same_object() -> None:
    reader = RequestReader(LIMITS)
    (first,) = read_all(reader, WIRE, [])
    again = reader.take(WIRE)
    assert again is not None
    assert again.head is first.head
    assert (again.body, reader.has_unread()) == (b"hello", False)


@pytest.mark.parametrize("wire", [WIRE[:-1], WIRE + b"P", WIRE + WIRE, WIRE.replace(b"5", b"4")])
def test_take_feeds_what_is_not_exactly_one_known_request(wire: bytes) -> None:
    heads = HeadCache()
    read_all(RequestReader(LIMITS, heads), WIRE, [])
    reader = RequestReader(LIMITS, heads)
    assert reader.take(wire) is None
    assert reader.leftover() == wire


def test_take_does_not_overtake_bytes_that_came_before() -> None:
    reader = RequestReader(LIMITS)
    read_all(reader, WIRE, [])
    reader.feed(b"POST /rpc HTTP/1.1\r\nHost: b\r\nContent-Length: 55\r\n\r\n")
    assert reader.take(WIRE) is None
    request = reader.next()
    assert isinstance(request, HttpRequest)
    assert request.body == WIRE


# Limits…


def refusal_of(wire: bytes, limits: LaneLimits = LIMITS) -> tuple[int, Kind]:
    reader = RequestReader(limits)
    with pytest.raises(BadRequest) as caught:
        read_all(reader, wire, [])
    return caught.value.status, caught.value.kind


def test_head_over_its_limit_is_refused_before_its_end_came() -> None:
    assert refusal_of(b"POST /rpc HTTP/1.1\r\nX: " + b"a" * 2_000) == (431, Kind.HEAD_TOO_LARGE)
    assert refusal_of(b"POST /rpc HTTP/1.1\r\nX: " + b"a" * 2_000 + b"\r\n\r\n") == (431, Kind.HEAD_TOO_LARGE)


@pytest.mark.parametrize("rest", [b"", b"x" * 2_000])
def test_declared_body_over_its_limit_is_refused_whether_it_came_or_not(rest: bytes) -> None:
    wire = b"POST /rpc HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n" + rest
    assert refusal_of(wire) == (413, Kind.BODY_TOO_LARGE)


def test_chunked_body_over_its_limit_is_refused() -> None:
    wire = b"POST /rpc HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n"
    assert refusal_of(wire) == (413, Kind.BODY_TOO_LARGE)


@pytest.mark.parametrize(
    "wire",
    [
        b"POST /rpc HTTP/1.1\nHost: a\r\n\r\n",
        b"POST /rpc HTTP/1.1\nHost: a\n\n",
        b"POST /rpc HTTP/1.1\r\nHost: a\n\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\r\n\r\n\r\n",
        b"\nPOST",
        b" POST / HTTP/1.1",
    ],
)
def test_what_cannot_be_http_is_refused_as_soon_as_it_shows(wire: bytes) -> None:
    assert refusal_of(wire) == (400, Kind.BAD_REQUEST)


def test_request_of_another_lane_is_left_whole() -> None:
    wire = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest"
    reader = RequestReader(LIMITS, belongs=lambda raw: raw.startswith(b"POST"))
    reader.feed(WIRE)
    assert isinstance(reader.next(), HttpRequest)
    for byte in wire[:-4]:
        assert reader.next() is None
        reader.feed(bytes([byte]))
    reader.feed(b"rest")
    assert reader.next() is FOREIGN
    assert reader.leftover() == wire


def test_bare_lf_in_a_request_of_another_lane_is_that_lanes_business() -> None:
    reader = RequestReader(LIMITS, belongs=lambda raw: raw.startswith(b"POST"))
    reader.feed(b"GET / HTTP/1.0\n\n")
    assert reader.next() is FOREIGN


def test_memory_is_bounded_by_one_request_and_one_read() -> None:
    reader = RequestReader(LIMITS)
    reader.feed(WIRE * 10)
    for left in range(9, -1, -1):
        assert isinstance(reader.next(), HttpRequest)
        assert len(reader.leftover()) == left * len(WIRE)
