from __future__ import annotations

from datetime import UTC, datetime

from lasso_trio.server.answer import date_line, parts_of, persistence, plain_error, status_line
from lasso_trio.server.refusal import Kind


def test_status_line_has_the_reason_where_there_is_one() -> None:
    assert status_line(200) == b"HTTP/1.1 200 OK\r\n"
    assert status_line(599) == b"HTTP/1.1 599 \r\n"


def test_date_line_is_in_gmt() -> None:
    assert date_line(datetime(2026, 11, 21, 12, 0, 5, tzinfo=UTC)) == b"date: Sat, 21 Nov 2026 12:00:05 GMT\r\n"


def test_connection_header_is_sent_only_against_the_versions_default() -> None:
    assert persistence(1, keep_alive=True, close=False) == b""
    assert persistence(0, keep_alive=True, close=False) == b"connection: keep-alive\r\n"
    assert persistence(1, keep_alive=True, close=True) == b"connection: close\r\n"
    assert persistence(0, keep_alive=False, close=False) == b"connection: close\r\n"


def test_body_is_parts() -> None:
    assert parts_of(b"ab") == (b"ab",)
    assert parts_of([b"a", b"b"]) == [b"a", b"b"]


def test_plain_error_says_the_kind() -> None:
    answer = plain_error(413, Kind.BODY_TOO_LARGE)
    assert (answer.status, answer.body) == (413, b"body_too_large\n")
