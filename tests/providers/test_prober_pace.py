"""When a prober looks again: soon where something broke, seldom where nobody cares, and from the start when they do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from lasso_trio.devnet import Failure, Kind
from lasso_trio.providers.breaker import State
from lasso_trio.providers.head import ChainCheck
from lasso_trio.providers.probe_schedule import IDLE_S

Build = Callable[..., Any]
Clock = trio.testing.MockClock
METHODS = ("eth_chainId", "eth_blockNumber")


def kill(its: Any) -> None:
    its.down = True
    its.upstream.drop_connections()


async def test_a_killed_node_is_out_three_seconds_after_the_first_round_that_finds_it_dead(
    bench: Build, autojump_clock: Clock
) -> None:
    with capture_logs():
        its = bench()
        await trio.sleep(14.0)
        kill(its)
        await trio.sleep(10.0)  # the round is due at 24
        assert its.prober.schedule.failures <= 1
        await trio.sleep(4.0)
        assert its.state is State.OPEN
        asked = its.prober.calls.total
        await trio.sleep(9.0)
        assert its.prober.calls.total == asked, "and then it is left alone"


async def test_a_node_that_is_merely_slow_is_not_asked_again_at_once(bench: Build, autojump_clock: Clock) -> None:
    its = bench()
    await trio.sleep(14.0)
    its.set(failures=[Failure(Kind.HANG)])
    asked = its.prober.calls.total
    await trio.sleep(20.0)  # the round at 24 takes five seconds
    assert its.prober.calls.total == asked + 1


async def test_a_hint_of_fifty_years_blinds_for_five_minutes(bench: Build, autojump_clock: Clock) -> None:
    with capture_logs():
        its = bench()
        await trio.sleep(1.0)
        its.set(failures=[Failure(Kind.HTTP, status=429, retry_after_s=1_700_000_000)])
        await trio.sleep(12.0)
        its.set()
        height = its.head.height
        await trio.sleep(305.0)
    assert its.head.height > height


@pytest.mark.parametrize(("body", "per_second"), [("50/second request limit reached", 50.0), ("slow down", None)])
async def test_a_limit_that_a_probe_is_told_is_the_calls_limit(
    bench: Build, autojump_clock: Clock, body: str, per_second: float | None
) -> None:
    with capture_logs():
        its = bench(running=False)
        its.set(failures=[Failure(Kind.HTTP, status=429, body=body)])
        await its.prober.round()
    assert its.channel.pacing.known == per_second


async def test_when_the_clients_come_back_the_chain_is_asked_for_first(bench: Build, autojump_clock: Clock) -> None:
    with capture_logs():
        its = bench()
        await trio.sleep(2 * IDLE_S + 50.0)
        its.set(chain_id=5)
        its.calls += 1
        await trio.sleep(2.5)
        assert (its.head.check, its.state) == (ChainCheck.WRONG, State.OPEN)


async def test_a_chain_that_is_switched_while_nobody_cares_is_found_out_in_the_next_round(
    bench: Build, autojump_clock: Clock
) -> None:
    with capture_logs():
        its = bench()
        await trio.sleep(2 * IDLE_S + 50.0)
        its.set(chain_id=5)
        await trio.sleep(IDLE_S)
        assert its.head.check is ChainCheck.WRONG


async def test_a_chain_is_asked_for_again_when_the_connection_changed_within_the_round(
    bench: Build, autojump_clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    its = bench(running=False)
    pool, exchange = its.channel.pool, its.channel.pool.exchange

    async def swapped_after_the_first(*args: Any, **kwargs: Any) -> Any:
        answer = await exchange(*args, **kwargs)
        if its.prober.calls.total == 1:
            its.upstream.drop_connections()
            its.set(chain_id=5)
        return answer

    monkeypatch.setattr(pool, "exchange", swapped_after_the_first)
    with capture_logs():
        await its.prober.round()
    assert its.head.check is ChainCheck.WRONG


async def test_a_round_on_one_connection_asks_for_the_chain_once(bench: Build, autojump_clock: Clock) -> None:
    its = bench(running=False)
    await its.prober.round()
    assert its.upstream.calls["eth_chainId"] == 1


async def test_while_somebody_looks_it_is_as_if_clients_called(bench: Build, autojump_clock: Clock) -> None:
    its = bench()
    await trio.sleep(2 * IDLE_S + 50.0)
    asked = its.prober.calls.total
    for _ in range(10):
        its.prober.touch(trio.current_time())
        await trio.sleep(6.0)
    assert its.prober.calls.total >= asked + 6 + 4
    await trio.sleep(2 * IDLE_S)
    asked = its.prober.calls.total
    await trio.sleep(IDLE_S)
    assert its.prober.calls.total <= asked + 6
