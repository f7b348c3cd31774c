from __future__ import annotations

import pytest

from lasso_trio.access.origin import permits

ALLOWED = ("https://app.example.org", "https://*.example.com", "http://*.local:3000")


@pytest.mark.parametrize(
    "origin",
    ["https://app.example.org", "https://a.example.com", "https://a.b.example.com", "HTTPS://A.example.com",
     "http://dev.local:3000"],
)  # fmt: skip
def test_an_origin_is_let_in_exactly_or_below_a_wildcard(origin: str) -> None:
    assert permits(ALLOWED, origin)


@pytest.mark.parametrize(
    "origin",
    ["", "null", "https://example.com", "http://a.example.com", "https://aexample.com", "https://a.example.com.evil.io",
     "https://evil.io/.example.com", "https://evil.io#.example.com", "https://.example.com", "https://a.example.com:444",
     "http://dev.local", "https://app.example.org.", "https://app.example.org:443", "https://evil.io\\.example.com",
     "https://evil.io@.example.com"],
)  # fmt: skip
def test_nobody_else_is(origin: str) -> None:
    assert not permits(ALLOWED, origin)


def test_a_star_lets_everybody_in_and_nothing_nobody() -> None:
    assert permits(("*",), "null")
    assert not permits((), "https://app.example.org")
