from __future__ import annotations

import pytest
import trio

from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.jsonrpc.request import Request, decode
from lasso_trio.server.ws_subscriptions import Hub, Subscriptions
from tests.server.ws_world import FakeHub


class Silent:
    wants_gaps = True

    def send_frame(self, frame: bytes, topic: object | None) -> None: ...


def asked(*params: str) -> Request:
    request = decode(b'{"id":1,"method":"eth_subscribe","params":[%b]}' % ",".join(f'"{p}"' for p in params).encode())
    assert isinstance(request, Request)
    return request


def made(hub: Hub | None, most: int = 2) -> Subscriptions:
    return Subscriptions(hub, Silent(), most)


CHAIN = object()


async def test_those_that_are_not_live_yet_count_too(nursery: trio.Nursery) -> None:
    subscriptions = made(FakeHub())
    nursery.start_soon(subscriptions.subscribe, CHAIN, asked("newHeads", "never"))
    await trio.testing.wait_all_tasks_blocked()
    await subscriptions.subscribe(CHAIN, asked("newHeads"))  # type: ignore[arg-type]
    assert len(subscriptions) == 2
    with pytest.raises(RpcError, match="Subscription capacity unavailable") as refused:
        await subscriptions.subscribe(CHAIN, asked("newHeads"))  # type: ignore[arg-type]
    assert refused.value.code == -32008
    nursery.cancel_scope.cancel()


async def test_one_that_was_refused_or_cancelled_is_not_counted_any_more() -> None:
    subscriptions = made(FakeHub())
    with pytest.raises(RpcError, match="Invalid subscription parameters"):
        await subscriptions.subscribe(CHAIN, asked("newHeads", "no"))  # type: ignore[arg-type]
    with trio.CancelScope() as scope:
        scope.cancel()
        await subscriptions.subscribe(CHAIN, asked("newHeads", "never"))  # type: ignore[arg-type]
    assert len(subscriptions) == 0


async def test_one_that_was_given_up_makes_room() -> None:
    hub = FakeHub()
    subscriptions = made(hub, most=1)
    first = await subscriptions.subscribe(CHAIN, asked("newHeads"))  # type: ignore[arg-type]
    subscriptions.unsubscribe(f'["{first.id}"]'.encode())
    assert (hub.made[0].closed, len(subscriptions)) == (1, 0)
    await subscriptions.subscribe(CHAIN, asked("newHeads"))  # type: ignore[arg-type]


@pytest.mark.parametrize("params", [b"[]", b"[1]", b'["a","b"]', b'[{"a":1}]'])
async def test_params_that_are_no_id_are_invalid(params: bytes) -> None:
    with pytest.raises(RpcError, match="Invalid subscription parameters"):
        made(FakeHub()).unsubscribe(params)


async def test_closing_closes_all_of_them_once() -> None:
    hub = FakeHub()
    subscriptions = made(hub)
    for _ in range(2):
        await subscriptions.subscribe(CHAIN, asked("newHeads"))  # type: ignore[arg-type]
    subscriptions.close()
    subscriptions.close()
    assert [each.closed for each in hub.made] == [1, 1]


async def test_where_there_is_no_hub_the_method_is_not_supported() -> None:
    with pytest.raises(RpcError, match="not supported"):
        await made(None).subscribe(CHAIN, asked("newHeads"))  # type: ignore[arg-type]
