"""How many calls a client may make: 429, per address, per profile, and whose word is taken for the address."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from tests.surface.conftest import Client, Response, Start, Surface, rpc

CALL = rpc("eth_chainId", id="mine")
SLOW = {"rps_limit": 1, "burst_limit": 3}
PROXIES = {"trusted_proxies": (ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8"))}


async def spend(client: Client, n: int, path: str = "/rpc/devnet", **fields: str) -> list[int]:
    lines = {name.replace("_", "-"): value for name, value in fields.items()}
    return [(await client.request("POST", path, CALL, lines)).status for _ in range(n)]


async def limited(surface: Surface, body: bytes = CALL) -> Response:
    client = await surface.connect()
    await spend(client, 3)
    return await client.request("POST", "/rpc/devnet", body)


async def test_beyond_the_burst_a_client_is_told_when_to_come_back(start: Start) -> None:
    surface = await start(profile=SLOW)
    answer = await limited(surface)
    assert (answer.status, answer.json["id"]) == (429, "mine")
    assert 1 <= int(answer["retry-after"]) <= 2
    error = answer.error
    assert (error["code"], error["message"]) == (-32000, "Rate limit exceeded. Limit: 1 requests per second.")
    assert set(error["data"]) == {"retry_after_ms", "rate_limit"}
    assert error["data"]["rate_limit"] == 1
    assert 0 < error["data"]["retry_after_ms"] <= 1001
    assert int(answer["retry-after"]) * 1000 >= error["data"]["retry_after_ms"] - 1


async def test_a_limited_batch_or_notification_is_told_with_id_null(start: Start) -> None:
    surface = await start(profile=SLOW)
    answer = await limited(surface, b"[" + CALL + b"]")
    assert (answer.status, answer.json["id"]) == (429, None)
    answer = await limited(surface, b'{"method":"eth_chainId"}')
    assert (answer.status, answer.json["id"]) == (429, None)


async def test_every_call_of_a_batch_counts(start: Start) -> None:
    surface = await start(profile=SLOW)
    client = await surface.connect()
    assert (await client.request("POST", "/rpc/devnet", b"[" + CALL + b"," + CALL + b"]")).status == 200
    assert await spend(client, 2) == [200, 429]


async def test_a_limit_is_the_clients_and_not_the_connections(start: Start) -> None:
    surface = await start(profile=SLOW)
    assert [(await surface.post("/rpc/devnet", CALL)).status for _ in range(4)] == [200, 200, 200, 429]
    metrics = (await surface.get("/api/metrics/devnet")).json["chain_performance"]
    assert (metrics["total_calls"], metrics["rate_limited_calls"]) == (3, 1)


async def test_another_address_has_a_bucket_of_its_own(start: Start) -> None:
    surface = await start(profile=SLOW)
    assert await spend(await surface.connect(), 4) == [200, 200, 200, 429]
    assert await spend(await surface.connect("127.0.0.2"), 4) == [200, 200, 200, 429]


async def test_another_profile_has_a_limit_of_its_own(start: Start) -> None:
    surface = await start(profile=SLOW)
    client = await surface.connect()
    assert await spend(client, 4) == [200, 200, 200, 429]
    assert await spend(client, 4, "/rpc/profile/team/devnet") == [200] * 4


async def test_nobodys_word_is_taken_for_his_address(start: Start) -> None:
    surface = await start(profile=SLOW)
    client = await surface.connect()
    statuses = [(await spend(client, 1, x_forwarded_for=f"203.0.113.{i}"))[0] for i in range(4)]
    assert statuses == [200, 200, 200, 429]


async def test_a_trusted_proxys_word_is(start: Start) -> None:
    surface = await start(profile=SLOW, settings=PROXIES)
    client = await surface.connect()
    assert await spend(client, 4, x_forwarded_for="203.0.113.1") == [200, 200, 200, 429]
    assert await spend(client, 4, x_forwarded_for="203.0.113.2, 10.1.2.3") == [200, 200, 200, 429]
    assert await spend(client, 1, x_forwarded_for="203.0.113.9, 203.0.113.1") == [429]


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
async def test_a_whole_ipv6_network_is_one_client(start: Start, first: str, second: str, same: bool) -> None:
    surface = await start(profile=SLOW, settings=PROXIES)
    client = await surface.connect()
    await spend(client, 3, x_forwarded_for=first)
    assert await spend(client, 1, x_forwarded_for=second) == [429 if same else 200]
