"""What a refusal says of its own limit, in the spellings of the vendors."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.providers.hint import Hint, hint_in, rate_in_data, rate_in_message, rate_in_policy

NOON = 1_794_312_000.0


def hint(headers: Mapping[bytes, bytes] | None = None, data: object = None, message: str = "") -> Hint:
    return hint_in((headers or {}).get, data, message, NOON)


@pytest.mark.parametrize(
    ("message", "per_second"),
    [
        ("50/second request limit reached - reduce calls per second or upgrade", 50.0),
        ("You have exceeded 25 requests per second", 25.0),
        ("limit: 10 rps", 10.0),
        ("max 300 calls/min", 5.0),
        ("100 requests per 10 seconds", 10.0),
        ("36000 reqs per hour", 10.0),
        ("2.5 per s", 2.5),
        ("330 compute units per second capacity", None),
        ("exceeded its compute units per second capacity", None),
        ("rate limited, try again in 5 seconds", None),
        ("10 per 0 seconds", None),
        ("1,000/second", None),
        ("", None),
    ],
)
def test_a_message_may_name_a_rate_of_calls(message: str, per_second: float | None) -> None:
    assert rate_in_message(message) == per_second


@pytest.mark.parametrize(
    ("data", "per_second"),
    [
        ({"rate": {"allowed_rps": 10, "backoff_seconds": 24.5, "current_rps": 12}}, 10.0),
        ({"allowed_rps": "7"}, 7.0),
        ({"allowed_rps": 10**400}, None),
        ({"allowed_rps": True}, None),
        ({"rate": 5}, None),
        ([], None),
        (None, None),
    ],
)
def test_error_data_may_name_a_rate(data: object, per_second: float | None) -> None:
    assert rate_in_data(data) == per_second


@pytest.mark.parametrize(
    ("value", "per_second"),
    [
        (b"100;w=60", 100 / 60),
        (b'"burst";q=100;w=10,"day";q=86400;w=86400', 1.0),
        (b"100;w=0", None),
        (b"100", None),
        (None, None),
    ],
)
def test_a_policy_header_names_a_rate(value: bytes | None, per_second: float | None) -> None:
    assert rate_in_policy(value) == per_second


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({b"x-ratelimit-reset": b"30"}, 30.0),
        ({b"x-ratelimit-reset": b"30", b"x-ratelimit-remaining": b"0"}, 30.0),
        ({b"x-ratelimit-reset": b"30", b"x-ratelimit-remaining": b"7"}, None),
        ({b"x-ratelimit-reset": b"1794312045"}, 45.0),
        ({b"x-ratelimit-reset": b"1794312045000"}, 45.0),
        ({b"x-ratelimit-reset": b"1794311000"}, 0.0),
        ({b"x-ratelimit-reset": b"soon"}, None),
        ({b"ratelimit-reset": b"12"}, 12.0),
        ({b"retry-after": b"3", b"x-ratelimit-reset": b"30"}, 3.0),
        ({}, None),
    ],
)
def test_headers_name_when_to_come_back(headers: Mapping[bytes, bytes], seconds: float | None) -> None:
    assert hint(headers).seconds == seconds


def test_words_and_data_say_more_than_the_window_of_a_rate() -> None:
    reset = {b"x-ratelimit-reset": b"30"}
    assert hint(reset, {"backoff_seconds": 4}).seconds == 4.0
    assert hint(reset, None, "try again in 2 seconds").seconds == 2.0


def test_both_are_found_in_one_refusal_and_raw_data_is_read() -> None:
    raw = msgspec.Raw(b'{"rate":{"allowed_rps":10,"backoff_seconds":24.5}}')
    assert hint({b"ratelimit-policy": b"5;w=1"}, raw, "50/second") == Hint(24.5, 10.0)
    assert hint({b"ratelimit-policy": b"5;w=1"}, None, "50/second") == Hint(None, 50.0)
    assert hint({b"ratelimit-policy": b"5;w=1"}) == Hint(None, 5.0)


def test_a_rate_that_nobody_could_mean_is_passed_over() -> None:
    assert hint({b"ratelimit-policy": b"5;w=1"}, {"allowed_rps": 0}) == Hint(None, 5.0)


@given(st.binary(), st.binary() | st.text(), st.text())
def test_nothing_a_provider_sends_makes_it_raise(header: bytes, data: object, message: str) -> None:
    names = (b"retry-after", b"x-ratelimit-reset", b"x-ratelimit-remaining", b"ratelimit-policy")
    found = hint(dict.fromkeys(names, header), data, message)
    assert found.seconds is None or found.seconds >= 0
    assert found.per_second is None or found.per_second > 0
