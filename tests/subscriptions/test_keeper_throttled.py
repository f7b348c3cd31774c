"""What a keeper makes of a subscription that was one request too many. In virtual time."""

from __future__ import annotations

import pytest
import trio

from lasso_trio.config.profile import ErrorRule
from lasso_trio.devnet import Faults
from lasso_trio.devnet.faults import Failure, Kind
from lasso_trio.subscriptions.feed import Refused
from lasso_trio.subscriptions.keeper_heads import Terms
from tests.subscriptions.upstreams import Upstream, until_connected

LOGS = b'["logs",{}]'


@pytest.mark.parametrize(
    ("message", "cooling_s"), [("rate limit exceeded, try again in 20s", 20.0), ("hush", 1.0), ("no such thing", 0.0)]
)
async def test_a_throttled_subscription_keeps_calls_away_as_well(
    autojump_clock: object, nursery: trio.Nursery, message: str, cooling_s: float
) -> None:
    upstream = Upstream.make(nursery)
    rules = (ErrorRule("rate_limit", message_contains=("hush",)),)
    keeper = upstream.keeper(terms=Terms(error_rules=rules))
    await until_connected(keeper)
    await trio.sleep(1)
    upstream.node.set_faults(
        Faults(failures=(Failure(Kind.RPC, methods=("eth_subscribe",), code=-32000, message=message),))
    )
    with pytest.raises(Refused):
        await keeper.open(LOGS)
    assert keeper.channel.cooldown.remaining(trio.current_time()) == pytest.approx(cooling_s, rel=0.11)
    assert keeper.connected
