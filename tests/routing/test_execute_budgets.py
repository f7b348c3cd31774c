"""When budgets are why nobody is asked, the client is told so, and when to come back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio
import trio.testing

from lasso_trio.config.profile import Allowance
from lasso_trio.devnet import Faults
from lasso_trio.routing.service import Wish

Build = Callable[..., Any]
Clock = trio.testing.MockClock


def allow(it: Any, *names: str, rps: int | None = None, daily: int | None = None) -> None:
    for name in names:
        it.routed.registry.instances[f"1:{name}:0"].allow(Allowance(rps, daily, {}))


def shut(it: Any, name: str, seconds: float) -> None:
    it.channel(name).breaker.quarantine("test", trio.current_time(), seconds)


async def refusal(it: Any) -> Any:
    return (await it.ask("eth_gasPrice"))["error"]


async def test_a_spent_day_is_told_in_its_own_words(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(), "b": Faults()})
    allow(it, "a", "b", daily=1)
    assert "result" in await it.ask("eth_gasPrice")
    assert "result" in await it.ask("eth_gasPrice")
    assert await refusal(it) == {
        "code": -32000,
        "message": "No available channels for method: eth_gasPrice. All budgets are spent, retry after 90000s",
        "data": {"reason": "budget_spent", "retry_after_ms": 90_000_000},
    }
    assert it.asked == {"a": 1, "b": 1}


async def test_a_full_second_is_over_in_a_second(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults()})
    allow(it, "a", rps=2)
    for _ in range(2):
        assert "result" in await it.ask("eth_gasPrice")
    error = await refusal(it)
    assert error["message"].endswith("All budgets are spent, retry after 1s")
    await trio.sleep(error["data"]["retry_after_ms"] / 1000)
    assert "result" in await it.ask("eth_gasPrice")


async def test_a_breaker_that_is_open_beside_it_is_told_too_and_the_shorter_wait_of_both(
    autojump_clock: Clock, world: Build
) -> None:
    it = world({"a": Faults(), "b": Faults()})
    allow(it, "a", daily=1)
    await it.ask("eth_gasPrice", "[]", Wish(provider="a"))
    shut(it, "b", 30.0)
    error = await refusal(it)
    assert "All circuit breakers are open or budgets spent, retry after 30s" in error["message"]
    assert error["data"] == {"reason": "budget_spent", "retry_after_ms": 30_000}


async def test_what_no_budget_will_ever_pay_for_has_no_time_to_come_back(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults()})
    allow(it, "a", daily=1)
    error = (await it.ask("eth_estimateGas", "[{}]"))["error"]
    assert error["message"] == "No available channels for method: eth_estimateGas. All budgets are spent"
    assert error["data"] == {"reason": "budget_spent"}


async def test_with_budget_left_it_is_the_breakers(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults()})
    allow(it, "a", daily=5)
    shut(it, "a", 30.0)
    assert (await refusal(it))["message"].endswith("All circuits open, retry after 30s")


async def test_a_reload_that_allows_more_holds_at_once(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(), "b": Faults()})
    allow(it, "a", daily=1)
    for _ in range(3):
        await it.ask("eth_gasPrice")
    assert it.asked == {"a": 1, "b": 2}
    allow(it, "a", daily=100)
    await trio.sleep(0.3)
    await it.ask("eth_gasPrice")
    assert it.asked == {"a": 2, "b": 2}
