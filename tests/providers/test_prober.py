"""One prober, one simulated provider (`conftest`), virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from lasso_trio.config.profile import ErrorRule
from lasso_trio.devnet import Failure, Kind
from lasso_trio.providers.breaker import State
from lasso_trio.providers.catalogue import VERDICTS, Category
from lasso_trio.providers.head import ChainCheck
from lasso_trio.providers.probe_schedule import ProbeStatus

MINUTE = 60.0

Build = Callable[..., Any]


async def test_before_the_first_answer_it_may_not_serve_and_after_it_all_is_known(
    bench: Build, autojump_clock: trio.testing.MockClock
) -> None:
    its = bench()
    assert its.head.check is ChainCheck.PENDING
    await its.prober.settled.wait()
    head = its.head
    assert (head.check, head.height, head.safe, head.finalized) == (ChainCheck.RIGHT, 1000, 968, 936)
    assert head.age_s == pytest.approx(0.0, abs=2.0)
    assert its.prober.schedule.status is ProbeStatus.HEALTHY
    assert its.prober.last_s is not None


async def test_the_height_is_polled_and_an_hour_costs_what_was_promised(
    bench: Build, autojump_clock: trio.testing.MockClock
) -> None:
    its = bench(interval_s=12.0)
    for _ in range(120):
        its.calls += 1
        await trio.sleep(30.0)
    await trio.sleep(1.0)
    assert its.head.height == pytest.approx(1000 + 1800, abs=7)
    assert 400 <= its.prober.calls.last_hour(trio.current_time()) <= 455
    assert its.upstream.calls.total() == its.prober.calls.total
    assert its.channel.evidence == {}
    assert its.channel.in_flight == 0


async def test_an_idle_chain_is_hardly_looked_at_until_the_clients_are_back(
    bench: Build, autojump_clock: trio.testing.MockClock
) -> None:
    its = bench()
    await trio.sleep(3 * 3600.0)
    assert its.prober.calls.last_hour(trio.current_time()) <= 30
    its.calls += 1
    height = its.head.height
    await trio.sleep(2.5)
    assert its.head.height != height
    before = its.prober.calls.total
    await trio.sleep(MINUTE)
    assert its.prober.calls.total >= before + 4


async def test_a_wrong_chain_is_quarantined_and_shouted_about_and_forgiven_when_it_is_right(
    bench: Build, autojump_clock: trio.testing.MockClock
) -> None:
    with capture_logs() as told:
        its = bench(chain_id=5)
        await trio.sleep(3600.0)
        shouts = [line for line in told if line["event"] == "probe.wrong_chain"]
        assert 2 <= len(shouts) <= 4
        assert (shouts[0]["got"], shouts[0]["expected"], shouts[0]["log_level"]) == (5, 1, "error")
        assert (its.head.check, its.head.told_chain, its.head.height) == (ChainCheck.WRONG, 5, None)
        assert its.state is State.OPEN
        assert its.channel.breaker.reason == "wrong_chain"
        assert set(its.upstream.calls) == {"eth_chainId"}
        its.set()
        await trio.sleep(40.0)
    assert (its.head.check, its.head.told_chain) == (ChainCheck.RIGHT, None)
    assert its.state is State.CLOSED
    assert "probe.right_chain" in {line["event"] for line in told}


async def test_a_node_that_changes_its_chain_is_found_out_within_ten_rounds(
    bench: Build, autojump_clock: trio.testing.MockClock
) -> None:
    with capture_logs():
        its = bench()
        await trio.sleep(30.0)
        its.set(chain_id=5)
        await trio.sleep(125.0)
        assert its.head.check is ChainCheck.WRONG


async def test_a_wrong_chain_that_was_told_by_who_looked_before_is_forgiven_as_well(
    bench: Build, autojump_clock: trio.testing.MockClock
) -> None:
    with capture_logs():
        its = bench(running=False)
        its.head.check = ChainCheck.RIGHT  # this was told as well, and the end of the quarantine was not
        its.channel.breaker.quarantine("wrong_chain", trio.current_time())
        await its.prober.round()
    assert its.state is not State.OPEN


async def test_an_operators_quarantine_is_not_lifted_by_the_right_chain(
    bench: Build, autojump_clock: trio.testing.MockClock
) -> None:
    with capture_logs():
        its = bench(chain_id=5, running=False)
        its.channel.breaker.quarantine("cordoned", trio.current_time())
        await its.prober.round()
        its.set()
        await its.prober.round()
    assert its.head.check is ChainCheck.RIGHT
    assert (its.state, its.channel.breaker.reason) == (State.OPEN, "cordoned")


async def test_a_dead_instance_opens_its_breaker_and_is_back_within_its_back_off(
    bench: Build, autojump_clock: trio.testing.MockClock
) -> None:
    with capture_logs():
        its = bench()
        await trio.sleep(MINUTE)
        its.set(failures=[Failure(Kind.HTTP, status=502)])
        await trio.sleep(4 * MINUTE)
        assert its.state is State.OPEN
        assert its.prober.schedule.status is ProbeStatus.UNHEALTHY
        assert "502" in its.prober.last_error
        its.set()
        await trio.sleep(36.0 + 12.0)
        assert its.state is State.CLOSED
        assert its.prober.schedule.status is ProbeStatus.HEALTHY
        assert its.prober.last_error == ""


@pytest.mark.parametrize("kind", [Kind.HANG, Kind.RESET, Kind.GARBAGE, Kind.WRONG_ID, Kind.TRUNCATED])
async def test_whatever_it_does_the_prober_lives_and_says_so(
    bench: Build, autojump_clock: trio.testing.MockClock, kind: Kind
) -> None:
    with capture_logs():
        its = bench(failures=[Failure(kind)])
        await trio.sleep(MINUTE)
        assert its.head.check is ChainCheck.PENDING
        assert its.prober.settled.is_set()
        assert its.prober.schedule.status is ProbeStatus.UNHEALTHY
        its.set()
        await trio.sleep(40.0)
        assert its.head.check is ChainCheck.RIGHT


async def test_an_answer_to_another_request_ends_its_connection(
    bench: Build, autojump_clock: trio.testing.MockClock
) -> None:
    its = bench(running=False)
    await its.prober.round()
    assert its.channel.pool is not None
    assert its.channel.pool.idle == 1
    its.set(failures=[Failure(Kind.WRONG_ID)])
    with capture_logs():
        await its.prober.round()
    assert its.channel.pool.idle == 0


async def test_what_a_profile_says_of_the_errors_holds_for_probes_too(
    bench: Build, autojump_clock: trio.testing.MockClock
) -> None:
    its = bench(running=False, failures=[Failure(Kind.RPC, code=-32055, message="come back tomorrow")])
    its.prober.rules = (ErrorRule("rate_limit", code=-32055),)
    with capture_logs():
        await its.prober.round()
    assert its.channel.cooldown.active(trio.current_time())
    assert its.prober.schedule.failures == 0


async def test_an_answer_without_end_is_cut(bench: Build, autojump_clock: trio.testing.MockClock) -> None:
    its = bench(running=False, failures=[Failure(Kind.HTTP, status=200, body="x" * 600_000)])
    await its.prober.round()
    assert "too much" in its.prober.last_error
    assert its.channel.pool is not None
    assert its.channel.pool.busy == 0


async def test_refusing_connections_it_is_not_verified(bench: Build, autojump_clock: trio.testing.MockClock) -> None:
    with capture_logs():
        its = bench(down=True)
        await trio.sleep(MINUTE)
        assert (its.head.check, its.state) == (ChainCheck.PENDING, State.OPEN)
        its.down = False
        await trio.sleep(40.0)
    assert (its.head.check, its.state) == (ChainCheck.RIGHT, State.CLOSED)


async def test_throttling_cools_down_opens_nothing_and_is_left_alone(
    bench: Build, autojump_clock: trio.testing.MockClock
) -> None:
    with capture_logs():
        its = bench()
        await trio.sleep(1.0)
        before = its.prober.calls.total
        its.set(failures=[Failure(Kind.HTTP, status=429, retry_after_s=50)])
        await trio.sleep(12.0)
        assert its.channel.cooldown.active(trio.current_time())
        await trio.sleep(45.0)
    assert its.prober.calls.total == before + 1
    assert (its.state, its.prober.schedule.status) == (State.CLOSED, ProbeStatus.DEGRADED)


async def test_a_throttled_trial_gives_its_place_back(bench: Build, autojump_clock: trio.testing.MockClock) -> None:
    with capture_logs():
        its = bench(running=False, failures=[Failure(Kind.HTTP, status=429)])
        breaker = its.channel.breaker
        breaker.quarantine("test", trio.current_time())
        breaker.release(trio.current_time())
        await its.prober.round()
        assert breaker.admit(trio.current_time())


async def test_a_cancelled_trial_gives_its_place_back(bench: Build, autojump_clock: trio.testing.MockClock) -> None:
    with capture_logs():
        its = bench(running=False, failures=[Failure(Kind.HANG)])
        breaker = its.channel.breaker
        breaker.quarantine("test", trio.current_time())
        breaker.release(trio.current_time())
        with trio.move_on_after(1.0):
            await its.prober.round()
        assert breaker.admit(trio.current_time())


async def test_a_refused_key_is_misconfigured(bench: Build, autojump_clock: trio.testing.MockClock) -> None:
    its = bench(running=False, failures=[Failure(Kind.HTTP, status=401)])
    await its.prober.round()
    assert its.prober.schedule.status is ProbeStatus.MISCONFIGURED
    assert its.prober.schedule.backoff_s == 120.0


async def test_a_node_without_chain_id_may_serve_and_a_warning_is_given(
    bench: Build, autojump_clock: trio.testing.MockClock
) -> None:
    with capture_logs() as told:
        its = bench(running=False, missing_methods=["eth_chainId"])
        await its.prober.round()
        await its.prober.round()
    assert its.head.check is ChainCheck.MUTE
    assert its.head.height == 1000
    assert [line["event"] for line in told] == ["probe.chain_unknown"]


async def test_failing_at_what_is_good_to_know_is_no_illness(
    bench: Build, autojump_clock: trio.testing.MockClock
) -> None:
    its = bench(failures=[Failure(Kind.HTTP, status=500, methods=("eth_getBlockByNumber", "eth_syncing"))])
    await trio.sleep(20 * MINUTE)
    assert its.prober.schedule.status is ProbeStatus.HEALTHY
    assert its.upstream.calls["eth_getBlockByNumber"] == 6
    assert (its.head.safe, its.state) == (None, State.CLOSED)


async def test_a_breaker_that_calls_opened_is_tried_at_half_open_by_a_probe_once(
    bench: Build, autojump_clock: trio.testing.MockClock
) -> None:
    with capture_logs():
        its = bench()
        await trio.sleep(1.0)
        its.channel.breaker.quarantine("test", trio.current_time(), 60.0)
        await trio.sleep(59.0)
        assert its.state is State.OPEN
        await trio.sleep(8.0)
        assert its.state is State.HALF_OPEN
        assert its.channel.breaker.success(trio.current_time())
        assert its.state is State.CLOSED


async def test_who_died_and_came_back_between_two_rounds_is_back_with_the_next(
    bench: Build, autojump_clock: trio.testing.MockClock
) -> None:
    with capture_logs():
        its = bench()
        await trio.sleep(1.0)
        for _ in range(3):
            its.channel.failed("eth_call", VERDICTS[Category.NETWORK_ERROR], 0.1, trio.current_time())
        assert its.state is State.OPEN
        await trio.sleep(12.0 + 3.0)
        assert its.state is State.CLOSED


async def test_a_failing_method_is_not_covered_up_by_probes_that_succeed(
    bench: Build, autojump_clock: trio.testing.MockClock
) -> None:
    with capture_logs():
        its = bench()
        await trio.sleep(1.0)
        for _ in range(5):
            its.channel.failed("eth_getLogs", VERDICTS[Category.SERVER_ERROR], 0.1, trio.current_time())
        await trio.sleep(55.0)
        assert its.state is State.OPEN
        await trio.sleep(10.0)
        assert its.state is State.HALF_OPEN
        its.channel.failed("eth_getLogs", VERDICTS[Category.SERVER_ERROR], 0.1, trio.current_time())
        assert its.channel.breaker.retry_after(trio.current_time()) >= 120.0
