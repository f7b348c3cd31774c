"""Probes are paid for like calls: a day's budget is the day's, whoever spends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio
import trio.testing

from lasso_trio.config.profile import Allowance
from lasso_trio.providers.allowance import Budget
from lasso_trio.providers.prober import NOT_AFFORDED

Build = Callable[..., Any]
Clock = trio.testing.MockClock
HOUR_S = 3600.0


async def test_probes_spend_the_days_budget_by_weight(bench: Build, autojump_clock: Clock) -> None:
    its = bench(running=False)
    its.channel.budget = Budget(Allowance(daily=100, weights={"eth_chainId": 0, "eth_syncing": 7}))
    await its.prober.round()
    assert its.channel.budget.spent(trio.current_time())[1] == 4 + 7


async def test_when_the_day_is_spent_nobody_looks_until_there_is_some_again(
    bench: Build, autojump_clock: Clock
) -> None:
    its = bench()
    its.channel.budget = Budget(Allowance(daily=20))
    version = its.channel.version.value
    await trio.sleep(20 * HOUR_S)
    assert its.prober.calls.total == 20
    assert its.channel.version.value == version + 2, "its chain is known, and it is ranked last"
    assert its.prober.schedule.failures == 0
    assert its.prober.last_error == NOT_AFFORDED
    its.channel.budget.keep_to(terms=Allowance(daily=1000))
    its.calls += 1
    await trio.sleep(10.0)
    assert its.prober.calls.total > 20
    assert its.prober.last_error == ""


async def test_who_probes_for_all_workers_has_the_whole_day_for_it(bench: Build, autojump_clock: Clock) -> None:
    its = bench()
    its.channel.budget = Budget(Allowance(daily=20), share=0.25)
    version = its.channel.version.value
    await trio.sleep(20 * HOUR_S)
    assert its.prober.calls.total == 20
    assert its.channel.version.value == version + 2, "plans are made anew once, and not for each probe"
    assert not its.channel.budget.affords("eth_call", trio.current_time())


async def test_a_second_that_is_full_of_calls_does_not_blind_the_prober(bench: Build, autojump_clock: Clock) -> None:
    its = bench(running=False)
    its.channel.budget = Budget(Allowance(rps=1))
    its.channel.budget.spend("eth_call", trio.current_time())
    await its.prober.round()
    assert its.head.height == 1000
