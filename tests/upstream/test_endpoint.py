"""An endpoint writes the right request and never shows what it knows."""

from __future__ import annotations

import pytest

from lasso_trio import __version__
from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.upstream.endpoint import Endpoint


def endpoint(url: str, **headers: str) -> Endpoint:
    return Endpoint.from_url(SecretUrl(url), {name.replace("_", "-"): Secret(value) for name, value in headers.items()})


def lines(request: bytes) -> list[str]:
    return request.partition(b"\r\n\r\n")[0].decode().split("\r\n")


def test_the_whole_request_is_as_it_should_be() -> None:
    request = endpoint("https://rpc.example/v2/key?a=b").request(b'{"id":1}')
    assert request.endswith(b'\r\n\r\n{"id":1}')
    assert lines(request) == [
        "POST /v2/key?a=b HTTP/1.1",
        "Host: rpc.example",
        f"User-Agent: lasso_trio/{__version__}",
        "Accept: application/json",
        "Content-Type: application/json",
        "Accept-Encoding: identity",
        "Content-Length: 8",
    ]
    assert "Accept-Encoding: gzip" in lines(endpoint("https://rpc.example").request(b"{}", gzip=True))


@pytest.mark.parametrize(
    ("url", "host", "port", "header", "origin"),
    [
        ("http://Example.COM", "example.com", 80, "example.com", "http://example.com"),
        ("https://example.com:443/", "example.com", 443, "example.com", "https://example.com"),
        ("http://example.com:8545", "example.com", 8545, "example.com:8545", "http://example.com:8545"),
        ("http://[::1]:8545/x", "::1", 8545, "[::1]:8545", "http://[::1]:8545"),
        ("https://[2001:db8::1]", "2001:db8::1", 443, "[2001:db8::1]", "https://[2001:db8::1]"),
        ("http://127.0.0.1:1", "127.0.0.1", 1, "127.0.0.1:1", "http://127.0.0.1:1"),
        (
            "https://bücher.example/",
            "xn--bcher-kva.example",
            443,
            "xn--bcher-kva.example",
            "https://xn--bcher-kva.example",
        ),
        ("http://my_node:80", "my_node", 80, "my_node", "http://my_node"),
    ],
)
def test_hosts_and_ports(url: str, host: str, port: int, header: str, origin: str) -> None:
    got = endpoint(url)
    assert (got.host, got.port, got.origin, got.tls) == (host, port, origin, url.startswith("https"))
    assert f"Host: {header}" in lines(got.head)


def test_a_zone_is_for_connecting_only() -> None:
    got = endpoint("http://[fe80::1%25eth0]:81")
    assert got.server_name == "fe80::1"
    assert "Host: [fe80::1]:81" in lines(got.head)


def test_user_and_password_become_basic_credentials() -> None:
    assert "Authorization: Basic dXNlcjpwOnc=" in lines(endpoint("https://user:p%3Aw@x.test").head)


def test_configured_headers_replace_ours_in_any_case_and_add() -> None:
    got = lines(endpoint("https://u:p@x.test", authorization="Bearer t", user_agent="mine", X_Extra="1").head)
    assert "authorization: Bearer t" in got
    assert "user-agent: mine" in got
    assert "X-Extra: 1" in got
    assert not any(line.startswith(("Authorization", "User-Agent")) for line in got)


def test_what_a_target_may_not_hold_is_quoted() -> None:
    assert lines(endpoint("http://x.test/a b/ü?q=ä z&r=%20#frag").head)[0] == (
        "POST /a%20b/%C3%BC?q=%C3%A4%20z&r=%20 HTTP/1.1"
    )


def test_only_the_origin_is_ever_shown() -> None:
    got = endpoint("https://user:hunter2@x.test/hunter2?k=hunter2", x_key="hunter2")
    assert repr(got) == str(got) == "<Endpoint https://x.test>"


@pytest.mark.parametrize(
    "url", ["ftp://x.test/hunter2", "ws://x.test", "https://", "x.test", "https://x:99999/hunter2", "http://[::1/hunter2",
            "http://x.test:0", "http://a..b/", "http://a b/hunter2"],
)  # fmt: skip
def test_unusable_urls_are_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValueError) as caught:
        endpoint(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["bad name", "", "Content-Length", "transfer-encoding", "Connection", "Accept-Encoding"]
)
def test_headers_that_would_break_the_request_are_refused(name: str) -> None:
    with pytest.raises(ValueError):
        Endpoint.from_url(SecretUrl("http://x.test"), {name: Secret("x")})


@pytest.mark.parametrize("value", ["hunter2\r\nX: y", "hunter2\n", "hunter2\0", "hunter2 ü"])
def test_header_values_cannot_smuggle(value: str) -> None:
    with pytest.raises(ValueError) as caught:
        endpoint("http://x.test", x_key=value)
    assert "hunter2" not in str(caught.value)


def test_an_answer_that_repeats_our_credentials_is_masked() -> None:
    url = SecretUrl("https://user0123:pa%2Fss0123@h/eth-mainnet/v2/0123456789abcdef?apikey=qq0123456&x=1")
    endpoint = Endpoint.from_url(url, {"Authorization": Secret("Bearer tok0123/456"), "X-Short": Secret("abc")})
    assert endpoint.without_keys(b"no abc of /eth-mainnet/v2 at x=1") == b"no abc of /eth-mainnet/v2 at x=1"
    told = rb"user0123 pa%2Fss0123 pa/ss0123 0123456789abcdef qq0123456 tok0123/456 tok0123\/456 tok0123%2F456"
    assert endpoint.without_keys(told) == b" ".join([b"***"] * 8)
    assert b"***" in endpoint.without_keys(endpoint.head.split(b"Authorization: ")[1])
