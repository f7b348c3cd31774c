"""Keys over HTTP/1.1, HTTP/2 and WebSockets: the same credential gets the same answer on every lane."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import Any

import attrs
import pytest
from structlog.testing import capture_logs
from trio_websocket import open_websocket_url

from lasso_trio.access.api_key import digest_of, made
from lasso_trio.config.access import AccessPolicy, ApiKey, Auth, Names, Terms
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.settings import Settings
from tests.surface.conftest import Start, Surface, rpc
from tests.surface.test_http2 import Both, speak_http2

KEY, READER = made("wallet"), made("reader")
WALLET = ApiKey("wallet", digest_of(KEY))
KEYS = (WALLET, ApiKey("reader", digest_of(READER), Terms(methods=Names(deny=("eth_gasPrice",)))))
CLOSED = AccessPolicy(Auth(KEYS), origins=("https://app.example.org",))
UPGRADE = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}
PAGE = ("origin", "https://app.example.org")


async def closed(start: Start, policy: AccessPolicy = CLOSED, **settings: Any) -> Surface:
    return await start(profile={"access": policy}, settings=settings)


@pytest.mark.parametrize(
    ("method", "target", "fields", "status"),
    [
        ("POST", "/rpc/devnet", (), 401),
        ("POST", "/rpc/devnet", (("authorization", f"Bearer {KEY}"),), 200),
        ("POST", "/rpc/devnet", (("authorization", f"Bearer {KEY}"), PAGE), 200),
        ("POST", f"/rpc/k/{KEY}/devnet", (), 200),
        ("POST", f"/rpc/k/{KEY}/fastest/devnet?provider_id=alpha", (PAGE,), 200),
        ("POST", f"/rpc/k/{READER}/devnet", (), 403),
        ("POST", f"/rpc/k/{KEY}/devnet", (("origin", "https://evil.example"),), 403),
        ("POST", f"/rpc/k/{KEY}x/devnet", (PAGE,), 401),
        ("POST", "/rpc/profile/team/devnet", (PAGE,), 200),
        ("OPTIONS", "/rpc/devnet", (PAGE,), 204),
        ("OPTIONS", "/rpc/devnet", (("origin", "https://evil.example"),), 204),
        ("OPTIONS", "/rpc/profile/team/devnet", (("origin", "https://evil.example"),), 204),
    ],
    ids=[str(row) for row in range(1, 13)],  # keys are new in each process, and the names of tests must not be
)
async def test_both_lanes_give_the_same_answer(
    start: Start, method: str, target: str, fields: tuple[tuple[str, str], ...], status: int
) -> None:
    surface = await closed(start)
    both = Both(await surface.connect(), await speak_http2(surface))
    body = rpc("eth_gasPrice") if method == "POST" else b""
    one, two = await both.ask(method, target, body, fields)
    assert (one.status, one) == (status, two)
    assert one.status != 401 or one["www-authenticate"] == 'Bearer realm="lasso"'


async def test_a_websocket_takes_the_same_keys_and_refuses_the_same_calls(start: Start) -> None:
    surface = await closed(start)
    base = f"ws://{surface.host}:{surface.port}/ws/rpc"
    refused = await (await surface.connect()).request("GET", "/ws/rpc/devnet", fields=UPGRADE)
    assert (refused.status, refused["www-authenticate"]) == (401, 'Bearer realm="lasso"')
    async with open_websocket_url(f"{base}/k/{READER}/devnet") as socket:
        await socket.send_message(rpc("eth_gasPrice", id=7).decode())
        assert json.loads(await socket.get_message())["error"]["data"] == {"reason": "method"}
        await socket.send_message(rpc("eth_blockNumber", id=8).decode())
        assert json.loads(await socket.get_message())["result"] == "0x3e8"


async def test_a_reload_takes_a_key_away_from_a_kept_connection_without_closing_it(start: Start) -> None:
    surface = await closed(start)
    client = await surface.connect()
    fields = {"x-lasso-api-key": KEY}
    assert (await client.request("POST", "/rpc/devnet", rpc("eth_chainId"), fields)).status == 200
    profiles = surface.app.directory.set
    kept = attrs.evolve(profiles.profiles["public"], access=AccessPolicy(Auth(KEYS[1:])))
    surface.app.reloading.load = lambda: ProfileSet({**profiles.profiles, "public": kept})
    assert (await surface.app.reload()).accepted
    refused = await client.request("POST", "/rpc/devnet", rpc("eth_chainId", id="x"), fields)
    assert (refused.status, refused.json["id"]) == (401, "x")
    fields = {"x-lasso-api-key": READER}
    assert (await client.request("POST", "/rpc/devnet", rpc("eth_chainId"), fields)).status == 200


async def test_networks_are_those_of_the_connection(start: Start) -> None:
    surface = await closed(start, AccessPolicy(networks=(ip_network("127.0.0.2/32"),)))
    inside, outside = await surface.connect("127.0.0.2"), await surface.connect("127.0.0.3")
    assert (await inside.request("POST", "/rpc/devnet", rpc("eth_chainId"))).status == 200
    spoofed = await outside.request("POST", "/rpc/devnet", rpc("eth_chainId"), {"x-forwarded-for": "127.0.0.2"})
    assert (spoofed.status, spoofed.error["data"]) == (403, {"reason": "network"})


async def test_a_key_is_nowhere_but_its_name_is_in_the_metrics(start: Start) -> None:
    with capture_logs() as logs:
        surface = await closed(start)
        client = await surface.connect()
        for path in (f"/rpc/k/{KEY}/devnet", f"/rpc/k/{KEY}/nowhere", f"/rpc/k/{KEY}", f"/rpc/k/{KEY}/devnet/nobody"):
            answer = await client.request("POST", path, rpc("eth_blockNumber"), {"x-lasso-include-meta": "body"})
            assert KEY.encode() not in answer.body
            explained = await client.request("POST", path, rpc("eth_blockNumber"), {"x-lasso-explain": "1"})
            assert KEY.encode() not in explained.body
        page = (await client.request("GET", "/metrics")).body.decode()
    assert 'lasso_client_calls_total{profile="public",client="wallet"} ' in page
    assert KEY not in page
    assert KEY not in repr(logs)


def test_nothing_of_this_is_on_by_default() -> None:
    assert AccessPolicy().is_open
    assert "access" not in {field.name for field in attrs.fields(Settings)}
