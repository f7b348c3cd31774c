"""Hints: every shape providers send is understood, and no text makes the parsers raise."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.providers.retry_after import from_data, from_header, from_message, retry_after

NOON = datetime(2026, 11, 10, 12, 0, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (b"7", 7.0),
        ("0", 0.0),
        (" 2.5 ", 2.5),
        ("Tue, 10 Nov 2026 12:00:30 GMT", 30.0),
        (b"Tue, 10 Nov 2026 12:01:00 GMT", 60.0),
        ("Tue Nov 10 12:00:05 2026", 5.0),
        ("Tuesday, 10-Nov-26 12:00:10 GMT", 10.0),
        ("Tue, 10 Nov 2026 11:00:00 GMT", 0.0),
        ("Tue, 10 Nov 2026 13:00:30 +0100", 30.0),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("1e9", None),
        ("inf", None),
        ("12 seconds", None),
        ("Tue, 99 Nov 2026 12:00:30 GMT", None),
    ],
)
def test_a_header_is_a_delay_or_a_date(value: str | bytes, seconds: float | None) -> None:
    assert from_header(value, NOON) == seconds


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Try again in 3.2 seconds", 3.2),
        ("in 5 minutes", 300.0),
        ("Rate limit exceeded, try again in 5 minutes", 300.0),
        ("try again in 1 second", 1.0),
        ("Too many requests. Retry after 30s", 30.0),
        ("please retry in 500ms", 0.5),
        ("retry-after: 10 sec", 10.0),
        ("quota resets in 2 hours", 7200.0),
        ("wait 250 milliseconds", 0.25),
        ("back off for 1 min", 60.0),
        ("limit is 100 requests per 10 seconds", None),
        ("exceeded 10 requests in 1 second", None),
        ("try again later", None),
        ("try again in 3 moons", None),
        ("", None),
    ],
)
def test_a_message_may_name_a_delay(message: str, seconds: float | None) -> None:
    assert from_message(message) == (None if seconds is None else pytest.approx(seconds))


def test_a_hint_far_behind_in_a_huge_message_is_not_sought() -> None:
    assert from_message("x" * 5000 + " try again in 3 seconds") is None


@pytest.mark.parametrize(
    ("data", "seconds"),
    [
        ({"backoff_seconds": 30}, 30.0),
        ({"rate": {"allowed_rps": 10, "backoff_seconds": 24.5, "current_rps": 12}, "see": "https://x"}, 24.5),
        ({"retry_after": "15"}, 15.0),
        ({"retry-after": 4}, 4.0),
        ({"retry_after_ms": 1500}, 1.5),
        (b'{"rate":{"backoff_seconds":2}}', 2.0),
        (msgspec.Raw(b'{"retry_after":9}'), 9.0),
        (b"{", None),
        (b'{"a":' + b"[" * 100_000, None),
        ({"backoff_seconds": True}, None),
        ({"backoff_seconds": -1}, None),
        ({"backoff_seconds": float("nan")}, None),
        ({"backoff_seconds": 10**400}, None),
        ({"backoff_seconds": [30]}, None),
        ({"rate": {"rate": {"backoff_seconds": 1}}}, None),
        (["retry_after"], None),
        ("0x", None),
        (None, None),
    ],
)
def test_error_data_may_name_a_delay(data: object, seconds: float | None) -> None:
    assert from_data(data) == seconds


def test_the_header_beats_the_data_and_the_data_beats_the_words() -> None:
    data, words = {"backoff_seconds": 2}, "try again in 3 seconds"
    assert retry_after("1", data, words, NOON) == 1.0
    assert retry_after("soon", data, words, NOON) == 2.0
    assert retry_after(None, None, words, NOON) == 3.0
    assert retry_after(None, None, "no", NOON) is None


@given(st.text() | st.binary(), st.text())
def test_nothing_a_provider_sends_makes_it_raise(header: str | bytes, message: str) -> None:
    seconds = retry_after(header, header, message, NOON)
    assert seconds is None or seconds >= 0
