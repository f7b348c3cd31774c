"""What makes a request head acceptable, and what is read from it."""

from __future__ import annotations

import pytest

from lasso_trio.server.http_head import Head, parse_head
from lasso_trio.server.refusal import BadRequest, Kind

HOST = b"Host: a\r\n"


def head_of(*lines: bytes, first: bytes = b"POST /rpc/eth HTTP/1.1", host: bytes = HOST) -> Head:
    return parse_head(first + b"\r\n" + host + b"".join(line + b"\r\n" for line in lines) + b"\r\n", 100)


def refusal_of(*lines: bytes, first: bytes = b"POST /rpc/eth HTTP/1.1", host: bytes = HOST) -> tuple[int, Kind]:
    with pytest.raises(BadRequest) as caught:
        head_of(*lines, first=first, host=host)
    return caught.value.status, caught.value.kind


def test_head_is_read() -> None:
    head = head_of(b"X-One:  a b \t", b"Content-Length: 12", first=b"POST /rpc/eth?strategy=fastest HTTP/1.1")
    assert (head.method, head.target, head.version) == ("POST", "/rpc/eth?strategy=fastest", 1)
    assert head.headers == ((b"host", b"a"), (b"x-one", b"a b"), (b"content-length", b"12"))
    assert (head.content_length, head.chunked, head.keep_alive, head.plain) == (12, False, True, True)
    assert head.header(b"x-one") == b"a b"
    assert head.header(b"x-two") is None


def test_head_is_frozen_but_for_the_route() -> None:
    head = head_of()
    head.route = "memo"
    with pytest.raises(AttributeError):
        head.method = "GET"


@pytest.mark.parametrize(
    "lines",
    [
        (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked", b"Content-Length: 5"),
        (b"Content-Length: 5", b"Content-Length: 5"),
        (b"Content-Length: 5", b"Content-Length: 6"),
        (b"Content-Length: +5",),
        (b"Content-Length: -5",),
        (b"Content-Length: 5, 5",),
        (b"Content-Length: 5,",),
        (b"Content-Length: 5x",),
        (b"Content-Length: 0x5",),
        (b"Content-Length: 5 5",),
        (b"Content-Length:",),
        (b"Content-Length: 99999999999999999999999",),
        (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: xchunked",),
        (b"Transfer-Encoding: chunked, gzip",),
        (b"Transfer-Encoding: \x0bchunked",),
    ],
)
def test_ambiguous_body_length_is_refused(lines: tuple[bytes, ...]) -> None:
    assert refusal_of(*lines) == (400, Kind.BAD_REQUEST)


@pytest.mark.parametrize(
    "line",
    [
        b"X : a",
        b" X: a",
        b": a",
        b"X\xe9: a",
        b"X: a\x00b",
        b"X: a\x01b",
        b"X: a\x7fb",
        b"X: a\rY: b",
        b"X: a\nY: b",
        b"X: a\r\n folded",
        b"X",
        b"X\\Y: a",
    ],
)
def test_malformed_header_line_is_refused(line: bytes) -> None:
    assert refusal_of(line) == (400, Kind.BAD_REQUEST)


@pytest.mark.parametrize(
    "first",
    [
        b"POST  /rpc HTTP/1.1",
        b"POST /rpc  HTTP/1.1",
        b"POST\t/rpc HTTP/1.1",
        b"POST /rpc HTTP/1.1 ",
        b"POST /rpc HTTP/1.2",
        b"POST /rpc HTTP/2.0",
        b"POST /rpc HTTP/0.9",
        b"POST /rpc http/1.1",
        b"POST /rpc",
        b"POST /rp\xff HTTP/1.1",
        b"POST /rp\x01 HTTP/1.1",
        b"POST /rpc#part HTTP/1.1",
        b"POST rpc HTTP/1.1",
        b"POST ftp://host/rpc HTTP/1.1",
        b"post /rpc HTTP/1.1",
    ],
)
def test_malformed_request_line_is_refused(first: bytes) -> None:
    assert refusal_of(first=first) == (400, Kind.BAD_REQUEST)


def test_host_is_needed_once_in_http_1_1() -> None:
    assert refusal_of(host=b"") == (400, Kind.BAD_REQUEST)
    assert refusal_of(host=HOST + HOST) == (400, Kind.BAD_REQUEST)
    assert head_of(host=b"", first=b"POST /rpc HTTP/1.0").version == 0


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://a/rpc/eth?x=1", "/rpc/eth?x=1"),
        (b"HTTP://a:80/rpc", "/rpc"),
        (b"https://a", "/"),
        (b"http://a?x=1", "/?x=1"),
        (b"/rpc//x", "/rpc//x"),
    ],
)
def test_absolute_target_becomes_its_path(target: bytes, path: str) -> None:
    assert head_of(first=b"POST " + target + b" HTTP/1.1").target == path


def test_only_chunked_transfer_encoding_is_known() -> None:
    assert head_of(b"Transfer-Encoding: Chunked").chunked
    assert not head_of(b"Transfer-Encoding: chunked").plain
    assert refusal_of(b"Transfer-Encoding: gzip, chunked") == (501, Kind.NOT_IMPLEMENTED)
    assert refusal_of(b"Transfer-Encoding: chunked", first=b"POST /rpc HTTP/1.0") == (400, Kind.BAD_REQUEST)


def test_only_100_continue_is_an_expectation_we_meet() -> None:
    assert head_of(b"Expect: 100-Continue").expect_continue
    assert refusal_of(b"Expect: a-miracle") == (417, Kind.EXPECTATION)
    assert not head_of(b"Expect: a-miracle", first=b"POST /rpc HTTP/1.0").expect_continue


@pytest.mark.parametrize(
    ("first", "lines", "kept"),
    [
        (b"POST /rpc HTTP/1.1", (), True),
        (b"POST /rpc HTTP/1.1", (b"Connection: Close",), False),
        (b"POST /rpc HTTP/1.1", (b"Connection: foo, close",), False),
        (b"POST /rpc HTTP/1.1", (b"Connection: keep-alive", b"Connection: close"), False),
        (b"POST /rpc HTTP/1.0", (), False),
        (b"POST /rpc HTTP/1.0", (b"Connection: keep-alive",), True),
    ],
)
def test_persistence_follows_version_and_connection_header(first: bytes, lines: tuple[bytes, ...], kept: bool) -> None:
    assert head_of(*lines, first=first).keep_alive is kept


def test_upgrade_offer_is_seen_and_the_request_still_read() -> None:
    head = head_of(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"Content-Length: 3")
    assert (head.upgrade, head.content_length) == (True, 3)


def test_too_many_header_lines_are_refused() -> None:
    assert len(head_of(*[b"X: a"] * 99).headers) == 100
    assert refusal_of(*[b"X: a"] * 100) == (431, Kind.HEAD_TOO_LARGE)


def test_codings_are_read_once_per_head() -> None:
    head = head_of(b"Accept-Encoding: br, gzip", b"Content-Encoding: GZIP")
    assert (head.accepts_gzip, head.content_encoding, head.plain) == (True, b"gzip", False)
    assert head_of(b"Content-Encoding: identity").content_encoding == b""
