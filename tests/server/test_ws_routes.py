from __future__ import annotations

import json
from typing import Any

import pytest

from lasso_trio.errors import LassoError
from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.server.answer import parts_of
from lasso_trio.server.refusal import BadRequest
from lasso_trio.server.routes import Meta, NoSuchRoute, resolve
from lasso_trio.server.ws_routes import is_ws, read_handshake, refusal_of, tells_beside
from tests.server.ws_world import KEY, directory, handshake


@pytest.mark.parametrize(
    "raw",
    [
        handshake("/ws/rpc/eth"),
        handshake("/ws/rpc?x=1"),
        handshake("http://node/ws/rpc/eth"),
        handshake("/ws/rpc/eth", upgrade="WebSocket"),
        handshake("/ws/rpc/eth", upgrade="h2c, websocket"),
    ],
)
def test_an_upgrade_on_our_paths_is_ours(raw: bytes) -> None:
    assert is_ws(raw)


@pytest.mark.parametrize(
    "raw",
    [
        handshake("/ws/rpc/eth", upgrade=""),
        handshake("/ws/rpc/eth", upgrade="h2c"),
        handshake("/ws/rpcx"),
        handshake("/rpc/eth"),
        handshake("/ws/rpc/eth").replace(b"GET", b"POST"),
        handshake("/ws/rpc/eth", upgrade="") + b"\r\nupgrade: websocket\r\n\r\n",
    ],
)
def test_anything_else_is_not(raw: bytes) -> None:
    assert not is_ws(raw)


def test_query_and_headers_mean_what_they_mean_over_http() -> None:
    raw = handshake("/ws/rpc/fastest/eth?include_meta=body", x_lasso_provider="alpha", x_lasso_session="s")
    destination, route = read_handshake(raw, 100, directory())
    assert (route.path, route.meta, route.wish.provider, route.wish.session) == (
        "/rpc/fastest/eth",
        Meta.BODY,
        "alpha",
        "s",
    )
    assert destination.key == KEY.encode()
    assert destination.wants_gaps
    assert not tells_beside(route)


def test_how_calls_are_to_be_carried_out_is_said_with_the_handshake() -> None:
    raw = handshake("/ws/rpc/eth", x_request_deadline_ms="1500", x_lasso_hedge="80", x_lasso_cache="bypass")
    destination, route = read_handshake(raw, 100, directory())
    for wish in (route.wish, destination.route(directory(generation=1)).wish):
        assert (wish.deadline_s, wish.hedge_s, wish.bypass_cache) == (1.5, 0.08, True)


class Asked(dict[str, str]):
    """Headers that note which of them are looked for."""

    names: set[str]

    def get(self, name: str, default: Any = None) -> Any:  # type: ignore[override]
        self.names.add(name)
        return default


def test_every_header_that_makes_a_route_is_kept() -> None:
    """What HTTP heeds and a handshake forgets would be dropped without a word."""
    asked = Asked()
    asked.names = set()
    resolve("/rpc/eth", asked, directory())
    raw = handshake("/ws/rpc/eth", **{name.replace("-", "_"): "1" for name in asked.names})
    destination, _ = read_handshake(raw, 100, directory())
    assert "x-lasso-hedge" in asked.names
    assert destination.headers.keys() == asked.names


def test_metadata_in_headers_becomes_metadata_beside() -> None:
    _, route = read_handshake(handshake("/ws/rpc/eth", x_lasso_include_meta="headers"), 100, directory())
    assert tells_beside(route)


@pytest.mark.parametrize(("path", "field"), [("/ws/rpc/eth?gaps=off", ""), ("/ws/rpc/eth", "0")])
def test_who_does_not_want_to_hear_of_gaps_says_so(path: str, field: str) -> None:
    destination, _ = read_handshake(handshake(path, x_lasso_gaps=field), 100, directory())
    assert not destination.wants_gaps


def test_the_way_through_proxies_is_kept() -> None:
    raw = handshake("/ws/rpc/eth", x_forwarded_for="192.0.2.1")[:-2] + b"x-forwarded-for: 10.0.0.1\r\n\r\n"
    destination, _ = read_handshake(raw, 100, directory())
    assert destination.forwarded_for == "192.0.2.1,10.0.0.1"


def test_only_what_is_needed_later_is_kept_of_the_headers() -> None:
    destination, _ = read_handshake(handshake("/ws/rpc/eth", user_agent="x", x_lasso_session="s"), 100, directory())
    assert destination.headers == {"x-lasso-session": "s"}


def test_what_is_no_http_is_a_bad_request() -> None:
    with pytest.raises(BadRequest):
        read_handshake(handshake("/ws/rpc/eth", host=""), 100, directory())


def test_a_refusal_is_403_with_the_error_that_http_would_give() -> None:
    _, route = read_handshake(handshake("/ws/rpc/profile/nope/eth"), 100, directory())
    assert route.error is not None
    answer = refusal_of(route.error)
    assert answer.status == 403
    told = json.loads(b"".join(parts_of(answer.body)))
    assert told["error"] == {
        "code": -32000,
        "message": "Profile 'nope' not found",
        "data": {"error_type": "profile_not_found"},
    }


def test_a_header_that_cannot_be_read_is_400() -> None:
    assert refusal_of(RpcError(-32602, "x", category="invalid_header")).status == 400


def test_a_destination_may_be_gone_with_the_next_configuration() -> None:
    destination, _ = read_handshake(handshake("/ws/rpc/eth"), 100, directory())
    assert isinstance(destination.route(directory(chain="other")).error, RpcError)
    assert issubclass(NoSuchRoute, LassoError)
