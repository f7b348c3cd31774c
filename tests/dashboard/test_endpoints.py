from __future__ import annotations

import pytest

from lasso_trio.config.secret import Secret
from lasso_trio.config.settings import Settings
from lasso_trio.dashboard.endpoints import Origin, origin_of, profiles_page
from lasso_trio.server.routes import resolve
from tests.dashboard.boards import KEY, board_of, directory_of

HERE = Origin("http", "127.0.0.1:4000")


async def test_every_address_on_the_page_leads_where_it_says() -> None:
    board = board_of(directory_of("public", "team"))
    page = profiles_page(board, HERE, None)
    for profile in page["profiles"]:
        (chain,) = profile["chains"]
        for endpoint in chain["endpoints"]:
            route = resolve(endpoint["http"].removeprefix("http://127.0.0.1:4000"), {}, board.directory())
            assert route.error is None
            assert route.routed_profile.profile.slug == profile["slug"]
            assert route.wish.strategy == endpoint["strategy"]
            assert endpoint["ws"] == endpoint["http"].replace("http://127.0.0.1:4000", "ws://127.0.0.1:4000/ws")
    assert len(chain["endpoints"]) == 4


async def test_the_page_names_what_there_is_and_no_key() -> None:
    board = board_of(dashboard_password=Secret(KEY))
    board.has_admin = True
    page = profiles_page(board, HERE, "ann")
    assert (page["default"], page["user"]) == ("public", "ann")
    assert page["features"] == {
        "system": True, "admin": True, "auth": True, "try": True, "load": True, "cluster": False
    }  # fmt: skip
    (chain,) = page["profiles"][0]["chains"]
    assert (chain["has_ws"], chain["aliases"], chain["providers"][0]) == (
        True,
        ["mainnet"],
        {"provider": "alpha", "name": "Alpha"},
    )
    assert KEY not in str(page)


@pytest.mark.parametrize(
    ("settings", "origin"),
    [
        (Settings(), Origin("http", "host:5000")),
        (Settings(public_host="rpc.example", public_scheme="https"), Origin("https", "rpc.example")),
        (Settings(ops_port=5000, port=4000), Origin("http", "host:4000")),
    ],
)
def test_addresses_are_as_the_browser_can_use_them(settings: Settings, origin: Origin) -> None:
    assert origin_of(settings, "http", "host:5000") == origin


def test_a_host_without_a_port_keeps_its_name() -> None:
    assert origin_of(Settings(ops_port=5000), "https", "ops.example").host == "ops.example:4000"


async def test_over_https_sockets_are_secure_too() -> None:
    page = profiles_page(board_of(), Origin("https", "x"), None)
    endpoint = page["profiles"][0]["chains"][0]["endpoints"][0]
    assert (endpoint["http"], endpoint["ws"]) == ("https://x/rpc/fastest/eth", "wss://x/ws/rpc/fastest/eth")


@pytest.mark.parametrize(("ops_port", "load"), [(None, True), (5000, False)])
async def test_the_page_says_whether_calls_are_taken_where_it_is_from(ops_port: int | None, load: bool) -> None:
    page = profiles_page(board_of(ops_port=ops_port), Origin("http", "x"), None)
    assert page["features"]["load"] is load
    assert page["profiles"][0]["needs_key"] is False
