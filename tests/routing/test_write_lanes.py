"""Whom a signed transaction is sent to, seen from the providers: the lanes as `broadcast` uses them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from lasso_trio.config.profile import Routing, Strategy
from lasso_trio.devnet import Faults, Kind, Latency
from lasso_trio.routing.afterwork import Afterwork
from lasso_trio.routing.execute_write import broadcast
from lasso_trio.routing.retry_budget import RetryBudget
from tests.routing.conftest import told
from tests.routing.writes import (
    BROKEN,
    DOWN,
    FINE,
    GONE,
    HANGING,
    HASH,
    INDETERMINATE,
    POOR,
    THROTTLED,
    call_of,
    drained,
    failing,
    sent,
    slow,
    write,
)  # fmt: skip

Build = Callable[..., Any]
Clock = trio.testing.MockClock
ALONE = Routing(Strategy.PRIORITY, broadcast=1)


@pytest.mark.parametrize("fault", [GONE, BROKEN, THROTTLED, failing(Kind.HTTP), failing(Kind.GARBAGE)])
async def test_whoever_does_not_look_at_it_is_replaced(
    autojump_clock: Clock, world: Build, afterwork: Afterwork, fault: Faults
) -> None:
    it = world({"a": fault, "b": FINE, "c": FINE, "d": FINE})
    assert told(await write(it, afterwork))["result"] == HASH
    await drained(it, afterwork)
    assert sent(it) == {"a": 1, "b": 1, "c": 1}


async def test_whoever_is_not_reached_is_replaced(autojump_clock: Clock, world: Build, afterwork: Afterwork) -> None:
    it = world({"a": FINE, "b": FINE, "c": FINE})
    it.network.down.add("a")
    assert told(await write(it, afterwork))["result"] == HASH
    await drained(it, afterwork)
    assert sent(it) == {"b": 1, "c": 1}


async def test_an_open_breaker_is_passed_by(autojump_clock: Clock, world: Build, afterwork: Afterwork) -> None:
    it = world({"a": FINE, "b": FINE, "c": FINE})
    call = call_of(it)
    it.channel("a").breaker.quarantine("tested", trio.current_time())
    assert told(await broadcast(call, Random(1), afterwork))["result"] == HASH
    await drained(it, afterwork)
    assert sent(it) == {"b": 1, "c": 1}


async def test_one_instance_is_sent_it_once_whatever_its_channels(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": GONE, "b": FINE})
    for channel in (it.channel("a"), it.channel("b")):
        channel.instance_id = "one"
    assert told(await write(it, afterwork))["error"]["message"] == INDETERMINATE
    assert sent(it) == {"a": 1}


async def test_an_instance_that_one_channel_does_not_reach_is_asked_by_the_other(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": FINE, "b": FINE})
    it.network.down.add("a")
    for channel in (it.channel("a"), it.channel("b")):
        channel.instance_id = "one"
    assert told(await write(it, afterwork))["result"] == HASH
    assert sent(it) == {"b": 1}


async def test_it_is_sent_to_so_many_and_no_more(autojump_clock: Clock, world: Build, afterwork: Afterwork) -> None:
    it = world(dict.fromkeys("abcdefgh", GONE))
    assert told(await write(it, afterwork))["error"]["message"] == INDETERMINATE
    assert sent(it) == dict.fromkeys("abcd", 1)


async def test_one_at_a_time_a_silent_one_leaves_time_for_another(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": HANGING, "b": FINE})
    assert told(await write(it))["result"] == HASH
    assert trio.current_time() == 2
    it.assert_nothing_leaked()


# Silence


@pytest.mark.parametrize("refusing", [HANGING, POOR], ids=["two silent", "one refuses"])
async def test_who_is_silent_for_a_share_of_the_time_is_replaced(
    autojump_clock: Clock, world: Build, afterwork: Afterwork, refusing: Faults
) -> None:
    it = world({"a": refusing, "b": HANGING, "c": FINE})
    outcome = await write(it, afterwork)
    assert (told(outcome)["result"], outcome.candidate, trio.current_time()) == (HASH, it["c"], 2)
    assert (outcome.reason, outcome.retries) == ("accepted", 1)
    await drained(it, afterwork)
    assert sent(it) == {"a": 1, "b": 1, "c": 1}


async def test_with_one_lane_two_silent_ones_do_not_lose_it(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": HANGING, "b": HANGING, "c": FINE, "d": FINE}, routing=ALONE)
    outcome = await write(it, afterwork)
    assert (told(outcome)["result"], outcome.candidate, trio.current_time()) == (HASH, it["c"], 4)
    await drained(it, afterwork)
    assert sent(it) == {"a": 1, "b": 1, "c": 1}


@pytest.mark.parametrize("room", [True, False], ids=["afterwork", "no room"])
async def test_who_was_silent_may_still_say_yes(
    autojump_clock: Clock, world: Build, afterwork: Afterwork, room: bool
) -> None:
    it = world({"a": slow(5), "b": HANGING, "c": HANGING}, routing=ALONE)
    outcome = await write(it, afterwork if room else None)
    assert (told(outcome)["result"], outcome.candidate, trio.current_time()) == (HASH, it["a"], 5)
    assert sent(it) == {"a": 1, "b": 1, "c": 1}
    await drained(it, afterwork)


async def test_who_was_silent_and_looks_at_it_then_needs_no_more_replacement(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    late = attrs.evolve(POOR, latency=Latency.constant(3000))
    it = world({"a": late, "b": attrs.evolve(BROKEN, latency=Latency.constant(1500)), "c": FINE}, routing=ALONE)
    assert "insufficient funds" in told(await write(it, afterwork))["error"]["message"]
    await drained(it, afterwork)
    assert sent(it) == {"a": 1, "b": 1}


async def test_where_somebody_has_it_a_silent_one_is_not_replaced(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world({"a": HANGING, "b": slow(1), "c": FINE})
    assert told(await write(it, afterwork))["result"] == HASH
    await drained(it, afterwork)
    assert sent(it) == {"a": 1, "b": 1}


async def test_a_silent_one_hears_nothing_twice_however_many_are_silent(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it = world(dict.fromkeys("abcdefgh", HANGING))
    assert told(await write(it, afterwork))["error"]["message"] == INDETERMINATE
    assert sent(it) == dict.fromkeys("abcd", 1)
    await drained(it, afterwork)


# What replacements cost


async def test_without_a_token_one_is_asked_in_anothers_place_and_no_second(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it, retries = world({"a": DOWN, "b": DOWN, "c": POOR, "d": FINE}), RetryBudget(tokens=0.0)
    assert told(await write(it, afterwork, retries=retries))["error"]
    assert sent(it) == {"a": 1, "b": 1, "c": 1}


async def test_with_tokens_each_replacement_takes_one(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it, retries = world({"a": DOWN, "b": HANGING, "c": FINE, "d": FINE}), RetryBudget()
    assert told(await write(it, afterwork, retries=retries))["result"] == HASH
    assert retries.spent == 1
    await drained(it, afterwork)


async def test_whoever_is_not_reached_costs_nothing(autojump_clock: Clock, world: Build, afterwork: Afterwork) -> None:
    it, retries = world(dict.fromkeys("abcde", FINE)), RetryBudget(tokens=0.0)
    it.network.down |= {"a", "b", "c"}
    assert told(await write(it, afterwork, retries=retries))["result"] == HASH
    await drained(it, afterwork)
    assert sent(it) == {"d": 1, "e": 1}
    assert (retries.spent, retries.refused) == (0, 0)


async def test_whom_a_breaker_keeps_away_costs_nothing(
    autojump_clock: Clock, world: Build, afterwork: Afterwork
) -> None:
    it, retries = world({"a": DOWN, "b": FINE, "c": FINE, "d": FINE}), RetryBudget()
    call = call_of(it, retries=retries)
    it.channel("c").breaker.quarantine("tested", trio.current_time())
    await broadcast(call, Random(1), afterwork)
    await drained(it, afterwork)
    assert (sent(it), retries.spent) == ({"a": 1, "b": 1, "d": 1}, 1)
