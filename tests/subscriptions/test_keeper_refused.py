"""What a refused upgrade means for a keeper's channel. In virtual time."""

from __future__ import annotations

import trio
from structlog.testing import capture_logs

from lasso_trio.config.profile import ErrorRule
from lasso_trio.devnet import Faults
from lasso_trio.providers.breaker import State
from lasso_trio.subscriptions.keeper_heads import Terms
from tests.subscriptions.upstreams import Upstream


async def test_a_throttled_upgrade_begins_a_cooldown_and_is_waited_for(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    upstream = Upstream.make(nursery, Faults(ws_refuse_status=429))
    keeper = upstream.keeper()
    await trio.sleep(25)
    assert (upstream.dials, keeper.channel.cooldown.times) == (1, 1)
    assert keeper.channel.breaker.state(trio.current_time()) is State.CLOSED


async def test_an_unpaid_upgrade_is_a_volume_and_said_loudly(autojump_clock: object, nursery: trio.Nursery) -> None:
    with capture_logs() as logs:
        keeper = Upstream.make(nursery, Faults(ws_refuse_status=402)).keeper()
        await trio.sleep(25)
    cooldown = keeper.channel.cooldown
    assert (cooldown.long, cooldown.remaining(trio.current_time()) > 200) == (True, True)
    assert [line["log_level"] for line in logs if line["event"] == "quota.used_up"] == ["error"]


async def test_a_refused_upgrade_is_judged_by_the_profiles_rules(autojump_clock: object, nursery: trio.Nursery) -> None:
    rules = (ErrorRule("rate_limit", code=500),)
    keeper = Upstream.make(nursery, Faults(ws_refuse_status=500)).keeper(terms=Terms(error_rules=rules))
    await trio.sleep(25)
    assert keeper.channel.cooldown.times == 1
    assert keeper.channel.breaker.state(trio.current_time()) is State.CLOSED
