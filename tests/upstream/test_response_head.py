"""The head's facts; the grammar and its refusals are told in test_response."""

from __future__ import annotations

import pytest

from lasso_trio.upstream.response_head import ResponseHead, parse_head, parse_whole


def head(*fields: bytes, start: bytes = b"HTTP/1.1 200 OK") -> ResponseHead:
    parsed = parse_head(b"\r\n".join([start, *fields, b"", b"body"]))
    assert parsed is not None
    return parsed[0]


def test_headers_are_listed_in_order_lower_case_and_stripped() -> None:
    got = head(b"Date: today", b"X-A:  one \t", b"x-a:two", b"Empty:")
    assert got.headers == [(b"date", b"today"), (b"x-a", b"one"), (b"x-a", b"two"), (b"empty", b"")]


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        (b"1.1", None, True),
        (b"1.1", b"keep-alive", True),
        (b"1.1", b"Close", False),
        (b"1.1", b"keep-alive, close", False),
        (b"1.1", b"upgrade", True),
        (b"1.0", None, False),
        (b"1.0", b"Keep-Alive", True),
        (b"1.0", b"upgrade", False),
    ],
)
def test_keep_alive_is_decided_by_version_and_connection(version: bytes, connection: bytes | None, kept: bool) -> None:
    fields = [b"Content-Length: 0"] if connection is None else [b"Content-Length: 0", b"Connection: " + connection]
    assert head(*fields, start=b"HTTP/" + version + b" 200 OK").keep_alive is kept


def test_a_close_in_a_second_connection_field_counts() -> None:
    assert not head(b"Connection: keep-alive", b"A: b", b"Connection: close").keep_alive


def test_an_unfinished_head_asks_for_more() -> None:
    whole = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n"
    assert all(parse_head(whole[:end]) is None for end in range(len(whole)))
    assert parse_head(whole) is not None


@pytest.mark.parametrize(
    "unusual",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Encoding: gzip\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 204 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 100 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n folded\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + b"x" * 20,
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_the_short_cut_is_for_the_usual_answer_only(unusual: bytes) -> None:
    assert (
        parse_whole(b"HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\nA: b\r\n\r\nok", 10) is not None
    )
    assert parse_whole(unusual, 10) is None
