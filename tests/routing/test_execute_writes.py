"""Calls that are not safe to repeat: dispatched once, moved on only when certainly nobody carried them out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio.testing

from lasso_trio.devnet import Failure, Faults, Kind, Latency

Build = Callable[..., Any]
Clock = trio.testing.MockClock
WRITE = "eth_sendRawTransaction"
RAW = '["0x02f8"]'


def failing(kind: Kind, **details: object) -> Faults:
    return Faults(failures=[Failure(kind, **details)])  # type: ignore[arg-type]


DOWN = failing(Kind.HTTP)
HANGING = failing(Kind.HANG)
THROTTLED = failing(Kind.HTTP, status=429, retry_after_s=9)
INTERNAL = failing(Kind.RPC, code=-32603, message="internal error, node 1")
PRUNED = failing(Kind.RPC, code=-32000, message="missing trie node")


@pytest.mark.parametrize("method", [WRITE, "eth_newFilter", "made_up_by_a_client"])
@pytest.mark.parametrize(
    "fault",
    [DOWN, HANGING, failing(Kind.GARBAGE), failing(Kind.WRONG_ID), failing(Kind.RESET), failing(Kind.TRUNCATED)],
    ids=lambda fault: fault.failures[0].kind,
)
async def test_a_write_that_somebody_may_have_carried_out_is_never_sent_again(
    autojump_clock: Clock, world: Build, method: str, fault: Faults
) -> None:
    it = world({"a": fault, "b": Faults()})
    error = (await it.ask(method, RAW))["error"]
    assert (error["code"], error["message"]) == (-32000, "Upstream dispatch outcome is indeterminate")
    assert it.asked == {"a": 1}
    it.assert_nothing_leaked()


async def test_a_write_may_take_the_whole_budget(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(latency=Latency.constant(9900)), "b": Faults()})
    await it.ask(WRITE, RAW)
    assert it.asked == {"a": 1}
    assert it["a"].tally.answered == 1


async def test_a_writes_own_error_is_told_and_not_tried_elsewhere(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": INTERNAL, "b": Faults()})
    assert (await it.ask(WRITE, RAW))["error"]["message"] == "internal error, node 1"
    assert it.asked == {"a": 1}


@pytest.mark.parametrize("fault", [THROTTLED, PRUNED], ids=["quota", "capability"])
async def test_a_write_that_was_declined_moves_on(autojump_clock: Clock, world: Build, fault: Faults) -> None:
    it = world({"a": fault, "b": Faults()})
    assert (await it.serve(WRITE, RAW)).outcome.candidate is it["b"]
    assert it.asked == {"a": 1, "b": 1}


async def test_a_write_that_reached_nobody_moves_on(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(), "b": Faults()})
    it.network.down.add("a")
    assert (await it.serve(WRITE, RAW)).outcome.candidate is it["b"]
    assert it.asked == {"b": 1}


async def test_a_write_that_reached_nobody_in_time_is_not_indeterminate(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults()})
    it.network.dark.add("a")
    assert (await it.ask(WRITE, RAW))["error"]["code"] == -32007


async def test_a_write_that_was_declined_and_then_hangs_is_indeterminate(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": PRUNED, "b": HANGING, "c": Faults()})
    assert (await it.ask(WRITE, RAW))["error"]["message"] == "Upstream dispatch outcome is indeterminate"
    assert it.asked == {"a": 1, "b": 1}


async def test_a_write_on_a_kept_connection_is_not_silently_sent_again(autojump_clock: Clock, world: Build) -> None:
    """The pool replaces a kept connection that was hung up on, but a hang-up after the request may mean it was read."""
    it = world({"a": Faults()})
    await it.ask("eth_gasPrice")
    it.provider("a").set_faults(failing(Kind.RESET))
    assert (await it.ask(WRITE, RAW))["error"]["message"] == "Upstream dispatch outcome is indeterminate"
    assert it.provider("a").calls == {"eth_gasPrice": 1, WRITE: 1}
