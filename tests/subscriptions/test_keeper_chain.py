"""A keeper asks which chain it is before it serves. In virtual time."""

from __future__ import annotations

import pytest
import trio
from structlog.testing import capture_logs

from lasso_trio.config.profile import ErrorRule
from lasso_trio.devnet import Faults
from lasso_trio.devnet.faults import Failure, Kind
from lasso_trio.providers.breaker import State
from lasso_trio.providers.head import ChainCheck
from lasso_trio.subscriptions.keeper_heads import Terms
from tests.subscriptions.upstreams import Upstream, until_connected


@pytest.fixture
def upstream(nursery: trio.Nursery) -> Upstream:
    return Upstream.make(nursery)


async def test_a_wrong_chain_is_quarantined_and_shouted_about_once(autojump_clock: object, upstream: Upstream) -> None:
    with capture_logs() as logs:
        keeper = upstream.keeper(chain_id=1)
        await trio.sleep(200)
    shouts = [line for line in logs if line["event"] == "keeper.wrong_chain"]
    assert [(line["got"], line["expected"], line["log_level"]) for line in shouts] == [(31337, 1, "error")]
    breaker = keeper.channel.breaker
    assert (keeper.channel.live, breaker.quarantined, breaker.reason) == (False, True, "wrong_chain")
    assert upstream.dials > 2
    assert (keeper.proof.wrong, keeper.sessions, keeper.head.check) == (31337, 0, ChainCheck.TRUSTED)


async def test_the_right_chain_again_is_served_again(autojump_clock: object, nursery: trio.Nursery) -> None:
    upstream = Upstream.make(nursery, Faults(chain_id=5))
    with capture_logs() as logs:
        keeper = upstream.keeper(alone=True)
        await trio.sleep(20)
        assert (keeper.head.check, keeper.head.told_chain) == (ChainCheck.WRONG, 5)
        upstream.node.set_faults(Faults())
        await until_connected(keeper)
        await trio.sleep(6)
    assert "keeper.right_chain" in {line["event"] for line in logs}
    assert (keeper.head.check, keeper.head.told_chain) == (ChainCheck.RIGHT, None)
    assert keeper.channel.breaker.state(trio.current_time()) is State.CLOSED


async def test_alone_it_says_whether_its_instance_may_serve(autojump_clock: object, upstream: Upstream) -> None:
    keeper = upstream.keeper(alone=True)
    assert keeper.head.check is ChainCheck.PENDING
    await until_connected(keeper)
    assert keeper.head.check is ChainCheck.RIGHT


async def test_who_has_no_chain_id_serves_with_a_warning(autojump_clock: object, nursery: trio.Nursery) -> None:
    upstream = Upstream.make(nursery, Faults(missing_methods=("eth_chainId",)))
    with capture_logs() as logs:
        keeper = upstream.keeper(alone=True)
        await until_connected(keeper)
    assert keeper.head.check is ChainCheck.MUTE
    assert "keeper.chain_unknown" in {line["event"] for line in logs}


async def test_who_does_not_say_which_chain_it_serves_does_not_serve(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    upstream = Upstream.make(nursery, Faults(failures=(Failure(Kind.HANG),)))
    keeper = upstream.keeper()
    await trio.sleep(60)
    assert (keeper.sessions, keeper.last_ending and keeper.last_ending.reason) == (0, "unchecked")
    assert keeper.channel.breaker.state(trio.current_time()) is State.OPEN


async def test_a_refused_chain_id_is_judged_by_the_profiles_rules(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    upstream = Upstream.make(nursery, Faults(failures=(Failure(Kind.RPC, code=-32603, message="teapot"),)))
    keeper = upstream.keeper(terms=Terms(error_rules=(ErrorRule("rate_limit", message_contains=("teapot",)),)))
    await trio.sleep(25)
    assert (upstream.dials, keeper.sessions, keeper.channel.cooldown.times) == (1, 0, 1)


async def test_a_throttled_chain_id_begins_a_cooldown(autojump_clock: object, nursery: trio.Nursery) -> None:
    upstream = Upstream.make(nursery, Faults(failures=(Failure(Kind.HTTP, status=429),)))
    keeper = upstream.keeper()
    await trio.sleep(25)
    assert (upstream.dials, keeper.sessions, keeper.channel.cooldown.times) == (1, 0, 1)
