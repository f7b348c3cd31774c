from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.check.reach import fault_of_header, fault_of_url


@pytest.mark.parametrize(
    "url",
    [
        "http://n",
        "https://[::1]:4000",
        "http://127.0.0.1:4000/behind",
        "https://rpc.example.com.",
        "http://bücher.example",
    ],
)
def test_an_address_has_a_scheme_and_a_host(url: str) -> None:
    assert fault_of_url(url) == ""


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("localhost:4000", "must be http"),
        ("ftp://a", "must be http"),
        ("http://", "must be http"),
        ("https://[::1", "must be http"),
        ("http://a:port", "must be http"),
        ("http://a:0", "must be http"),
        ("http://a..b:80", "must be http"),
        ("https://a?key=secret-of-mine", "without what begins with"),
        ("https://a#secret-of-mine", "without what begins with"),
        ("http://me:secret-of-mine@a", "must hold no user name or password"),
        ("http://secret-of-mine@a", "must hold no user name or password"),
        ("http://a/b c", "without blanks"),
        ("http://a\n", "without blanks"),
        (f"http://{'a' * 64}.example", "too long"),
        (f"http://{'ü' * 60}.example", "must be http"),
        (f"http://{'a.' * 127}a", "must be http"),
    ],
)
def test_what_cannot_be_asked_is_said_without_what_it_is(url: str, fault: str) -> None:
    assert fault in fault_of_url(url)
    assert "secret-of-mine" not in fault_of_url(url)


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("Authorization: Bearer a:b", ""),
        ("X-Empty:", ""),
        ("nothing", "'Name: value'"),
        ("X: é", "does not allow"),
        ("X: a\r\nY: b", "does not allow"),
        ("X Y: b", "not a header name"),
        (": b", "not a header name"),
        ("é: b", "not a header name"),
        ("Content-Length: 3", "set by the connection"),
    ],
)
def test_a_header_can_be_sent_or_it_is_said_why_not(header: str, fault: str) -> None:
    assert fault in fault_of_header(header)
    assert bool(fault) == bool(fault_of_header(header))


@given(st.text())
def test_no_text_is_too_odd_to_be_judged(text: str) -> None:
    assert isinstance(fault_of_url(f"http://{text}"), str)
    assert isinstance(fault_of_header(f"X: {text}"), str)
