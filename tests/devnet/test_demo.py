from __future__ import annotations

import time

import httpx
import trio

from lasso_trio.devnet import demo_network
from lasso_trio.devnet.demo import FAULTS


async def test_the_demo_runs_four_providers_with_an_admin_endpoint() -> None:
    async with trio.open_nursery() as nursery:
        net = demo_network(0)
        assert await nursery.start(net.run) is net
        assert list(net.providers) == ["steady", "flaky", "throttled", "lagging"]
        async with httpx.AsyncClient(trust_env=False) as client:
            state = (await client.get(f"http://127.0.0.1:{net.admin_port}/state")).json()
        heights = {name: provider["height"] for name, provider in state["providers"].items()}
        assert heights["lagging"] == heights["steady"] - 6
        nursery.cancel_scope.cancel()


def test_ports_follow_the_base_port_in_order() -> None:
    net = demo_network(20000, admin_port=None)
    assert net.ports == {"steady": 20000, "flaky": 20001, "throttled": 20002, "lagging": 20003}
    assert net.admin_port is None


def test_blocks_bear_the_time_of_the_wall_clock() -> None:
    net = demo_network(0)
    head = net.chain.view(0.0).block(net.chain.start_height)
    assert head is not None
    assert abs(int(head.header["timestamp"], 16) - time.time()) < 60  # noqa: TID251


def test_each_provider_is_bad_in_its_own_way() -> None:
    assert FAULTS["throttled"].rps == 20
    assert FAULTS["lagging"].lag == 6
    assert {failure.kind.value for failure in FAULTS["flaky"].failures} == {"http", "reset"}
    assert FAULTS["flaky"].latency.stall_share > 0
    assert FAULTS["steady"].failures == ()
