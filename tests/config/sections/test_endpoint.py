from __future__ import annotations

from collections.abc import Callable

import pytest

from lasso_trio.config.profile import Profile

Faults = Callable[..., list[str]]
Build = Callable[[str], str]
Read = Callable[..., Profile]


@pytest.mark.parametrize(
    "url",
    [
        "https://rpc.example.com",
        "http://127.0.0.1:8545/",
        "HTTPS://RPC.EXAMPLE.COM:443/v1?key=1",
        "https://user:pass@rpc.example.com/x",
        "http://[::1]:8545",
    ],
)
def test_urls_are_kept_as_they_are_written(read: Read, with_provider: Build, url: str) -> None:
    provider = read(with_provider(f'url: "{url}"')).chains[0].providers[0]
    assert provider.url is not None
    assert provider.url.reveal() == url


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("url: ftp://h/key", "'url' must begin with http:// or https://, found 'ftp://h/***'"),
        ("url: rpc.example.com/key", "'url' must begin with http:// or https://, found '***'"),
        ("url: wss://h/key", "found 'wss://h/***' (that belongs under 'ws_url')"),
        ("ws_url: https://h/key", "'ws_url' must begin with ws:// or wss://, found 'https://h/***' (that belongs"),
        ("url: https://", "'url' needs a host"),
        ("url: http://:8545", "'url' needs a host"),
        ("url: https://h:0/", "port above 0"),
        ("url: https://h:99999/key", "'url' is not a URL: its host or port cannot be read"),
        ('url: "http://[::1"', "'url' is not a URL"),
        ('url: "https://h/ key"', "must not hold spaces"),
        ('url: "https://h/\\r\\nX: y"', "must not hold spaces, control characters"),
        ('url: "https://h\\t/"', "must not hold spaces"),
        ("url: https://hé/", "characters beyond ASCII"),
        ("url: https://h/#key", "must not hold a '#'"),
        ('url: " "', "'url' must not be blank"),
        ("url: [https://h]", "'url' must be text, found a list"),
    ],
)
def test_what_is_no_url_of_the_right_kind_is_refused(
    faults: Faults, with_provider: Build, lines: str, told: str
) -> None:
    found = faults(with_provider(lines))
    assert len(found) == 1
    assert found[0].startswith("6: ")
    assert told in found[0]


def test_no_message_shows_a_secret_put_in_or_written(faults: Faults, with_provider: Build) -> None:
    lines = """url: ftp://h/${KEY}
ws_url: ws://h/topsecret one
api_key: "topsecret\\ntwo"
headers: {A: "topsecret\\r", Host: topsecret, B: [topsecret]}"""
    found = faults(with_provider(lines), {"KEY": "topsecret"})
    assert len(found) == 6
    assert "topsecret" not in "".join(found)
    assert "found 'ftp://h/${KEY}'" in found[0]


def test_headers_are_merged_and_later_ones_win_whatever_their_case(read: Read, with_provider: Build) -> None:
    lines = """url: https://h
headers: {X-Team: blue, authorization: Basic zzz, X-Key: one}
api_key: ${KEY}
auth_headers: {x-key: two}"""
    headers = read(with_provider(lines), {"KEY": "k"}).chains[0].providers[0].headers
    assert {name: value.reveal() for name, value in headers.items()} == {
        "X-Team": "blue",
        "Authorization": "Bearer k",
        "x-key": "two",
    }


def test_auth_headers_win_over_the_api_key(read: Read, with_provider: Build) -> None:
    lines = "url: https://h\napi_key: k\nauth_headers: {Authorization: Basic abc}"
    headers = read(with_provider(lines)).chains[0].providers[0].headers
    assert [value.reveal() for value in headers.values()] == ["Basic abc"]


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ('"X Y": a', "is not a valid header name"),
        ('"X\\n": a', "is not a valid header name"),
        ('"": a', "is not a valid header name"),
        ("X-é: a", "is not a valid header name"),
        ("Content-Length: 5", "belongs to the proxy"),
        ("transfer-encoding: chunked", "belongs to the proxy"),
        ("HOST: other", "belongs to the proxy"),
        ('X: "a\\r\\nY: b"', "is not visible ASCII on one line"),
        ('X: "é"', "is not visible ASCII on one line"),
        ('X: " a"', "is not visible ASCII on one line"),
        ("X:", "must have text as its value"),
        ("X: {a: b}", "must have text as its value"),
    ],
)
@pytest.mark.parametrize("field", ["headers", "auth_headers"])
def test_headers_that_would_break_a_request_are_refused(
    faults: Faults, with_provider: Build, field: str, header: str, told: str
) -> None:
    found = faults(with_provider(f"url: https://h\n{field}:\n  Good: x\n  {header}"))
    assert len(found) == 1
    assert found[0].startswith("9: ")
    assert told in found[0]


def test_a_header_is_given_once_whatever_its_case(faults: Faults, with_provider: Build) -> None:
    assert "is given twice" in faults(with_provider("url: https://h\nheaders: {X-A: a, x-a: b}"))[0]


def test_an_empty_variable_is_not_a_key(faults: Faults, with_provider: Build) -> None:
    found = faults(with_provider("url: ${URL}\napi_key: ${KEY}"), {"KEY": "", "URL": ""})
    assert found == [
        "6: environment variable URL is empty (${URL})",
        "7: environment variable KEY is empty (${KEY})",
    ]


def test_an_unset_variable_is_the_only_problem_of_its_field(faults: Faults, with_provider: Build) -> None:
    found = faults(with_provider("url: ${URL}\napi_key: ${KEY}\nheaders: {X: '${H}'}"))
    assert [line.split(" is not set")[0] for line in found] == [
        "6: environment variable URL",
        "7: environment variable KEY",
        "8: environment variable H",
    ]
