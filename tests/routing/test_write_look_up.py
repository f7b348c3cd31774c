"""The search for a transaction by its hash."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import trio
import trio.testing

from lasso_trio.config.profile import Routing, Strategy
from lasso_trio.devnet import Failure, Faults, Kind, Latency
from lasso_trio.routing.afterwork import Afterwork
from lasso_trio.routing.attempt import Attempt
from lasso_trio.routing.execute_write import broadcast
from lasso_trio.routing.retry_budget import Ration, RetryBudget
from lasso_trio.routing.write_look_up import LookUp, witnesses
from lasso_trio.routing.write_verdict import Said
from tests.routing.conftest import told
from tests.routing.writes import FINE, GONE, HASH, INDETERMINATE, LOOK_UP, RAW, call_of, looked_up, write

Build = Callable[..., Any]
Clock = trio.testing.MockClock
MUTE = Faults(failures=[Failure(Kind.HANG, methods=LOOK_UP)])
FAILING = Faults(failures=[Failure(Kind.RPC, methods=LOOK_UP, code=-32603, message="internal error")])


def look_up(it: Any, retries: RetryBudget | None = None) -> LookUp:
    assert HASH is not None
    return LookUp(call_of(it), HASH, Ration(retries))


def accept(it: Any) -> None:
    it.network.providers["a"].chain.accept_transaction(RAW[2:-2].decode())


def test_who_said_that_the_nonce_is_used_comes_first_and_one_who_was_not_asked_is_there(chain_of: Build) -> None:
    a, b, c, d, e = chain_of("a", "b", "c", "d", "e").candidates
    said = [(Said.SILENT, a), (Said.REFUSED, b), (Said.FAILED, c), (Said.NONCE_USED, d)]
    answers = [(what, Attempt(who)) for what, who in said]
    assert witnesses(answers, [a, b, c, d, e]) == [d, c, b]
    assert witnesses([], [a, b, c, d, e]) == [a, b, c]
    assert witnesses(answers, [d]) == [d, c, a]


def test_an_instance_is_a_witness_once_whatever_its_channels(chain_of: Build) -> None:
    both = chain_of("a", "b").candidates
    both[1].channel.instance_id = both[0].channel.instance_id
    assert witnesses([], both) == [both[0]]


async def test_who_has_it_is_believed_without_waiting_for_the_others(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": MUTE, "b": Faults(latency=Latency.constant(50)), "c": FAILING})
    accept(it)
    found = await look_up(it).round(it.routed.candidates)
    assert found is not None
    assert (found.candidate, trio.current_time()) == (it["b"], 0.05)
    it.assert_nothing_leaked()


async def test_a_round_ends_when_nobody_has_it(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": MUTE, "b": FINE, "c": FAILING})
    assert await look_up(it).round(it.routed.candidates) is None
    assert trio.current_time() <= 2
    it.assert_nothing_leaked()


async def test_without_a_token_the_likeliest_alone_is_asked(autojump_clock: Clock, world: Build) -> None:
    it, retries = world({"a": FINE, "b": FINE, "c": FINE}), RetryBudget(tokens=0.0)
    accept(it)
    assert await look_up(it, retries).round(it.routed.candidates) is not None
    assert looked_up(it) == {"a"}


async def test_each_question_takes_a_token(autojump_clock: Clock, world: Build) -> None:
    it, retries = world({"a": FINE, "b": FINE, "c": FINE}), RetryBudget()
    it.channel("b").breaker.quarantine("tested", trio.current_time())
    assert await look_up(it, retries).round(it.routed.candidates) is None
    assert (looked_up(it), retries.spent) == ({"a", "c"}, 2)


async def test_what_becomes_visible_later_is_found(autojump_clock: Clock, world: Build, afterwork: Afterwork) -> None:
    it = world({"a": GONE, "b": GONE})
    async with trio.open_nursery() as nursery:

        async def gossip() -> None:
            await trio.sleep(0.15)
            it.network.providers["b"].chain.accept_transaction(RAW[2:-2].decode())

        nursery.start_soon(gossip)
        assert told(await write(it, afterwork))["result"] == HASH


async def test_nothing_is_looked_up_where_a_breaker_has_opened(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": GONE, "b": GONE, "c": FINE}, routing=Routing(Strategy.PRIORITY, broadcast=1))
    call = call_of(it)
    it.channel("c").breaker.quarantine("tested", trio.current_time())
    assert told(await broadcast(call, Random(1), afterwork))["error"]["message"] == INDETERMINATE
    assert looked_up(it) == {"a", "b"}
