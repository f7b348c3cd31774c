"""So many calls of one address at a time, whoever carries them."""

from __future__ import annotations

import json
from ipaddress import ip_network

import trio
from trio.testing import wait_all_tasks_blocked

from lasso_trio.server.address_tally import AddressTally
from lasso_trio.server.answer import Answer
from lasso_trio.server.calls_per_address import capped
from lasso_trio.server.connection import Peer
from lasso_trio.server.http_head import parse_head
from lasso_trio.server.http_request import HttpRequest

PROXY = Peer("10.0.0.1", 1)
TRUSTED = (ip_network("10.0.0.0/8"),)


def asked(client: str = "") -> HttpRequest:
    line = f"x-forwarded-for: {client}\r\n" if client else ""
    return HttpRequest(parse_head(f"POST /rpc/eth HTTP/1.1\r\nhost: a\r\n{line}\r\n".encode(), 100), b"", 0.0)


async def test_beyond_its_share_an_address_is_told_429_and_others_are_served(nursery: trio.Nursery) -> None:
    gate, served = trio.Event(), list[int]()

    async def handler(http: HttpRequest, peer: Peer) -> Answer:
        await gate.wait()
        return Answer(200)

    async def ask(client: str) -> None:
        served.append((await door(asked(client), PROXY)).status)

    tally = AddressTally(2)
    door = capped(handler, tally, TRUSTED)
    for client in ("192.0.2.1", "192.0.2.1", "192.0.2.9"):
        nursery.start_soon(ask, client)
    await wait_all_tasks_blocked()
    refused = await door(asked("192.0.2.1"), PROXY)
    assert refused.status == 429
    assert isinstance(refused.body, bytes)
    assert json.loads(refused.body)["error"]["code"] == -32005
    gate.set()
    await wait_all_tasks_blocked()
    assert served == [200, 200, 200]
    assert (tally.refused, len(tally)) == (1, 0)


async def test_a_cancelled_call_gives_its_place_back(nursery: trio.Nursery) -> None:
    async def handler(http: HttpRequest, peer: Peer) -> Answer:
        await trio.sleep_forever()

    tally = AddressTally(1)
    door = capped(handler, tally, ())
    with trio.CancelScope() as scope:
        nursery.start_soon(_cancelled, scope)
        await door(asked("203.0.113.1"), Peer("192.0.2.5", 1))
    assert len(tally) == 0


async def _cancelled(scope: trio.CancelScope) -> None:
    await wait_all_tasks_blocked()
    scope.cancel()


def test_without_a_limit_nothing_stands_before_the_handler() -> None:
    async def handler(http: HttpRequest, peer: Peer) -> Answer:
        return Answer(200)

    assert capped(handler, AddressTally(), ()) is handler
