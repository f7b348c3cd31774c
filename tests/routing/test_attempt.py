from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from lasso_trio.config.profile import ErrorRule
from lasso_trio.devnet import Failure, Faults, Kind, Latency
from lasso_trio.providers.breaker import State
from lasso_trio.providers.catalogue import VERDICTS, Category
from lasso_trio.providers.latency import Evidence
from lasso_trio.upstream.faults import UpstreamFault
from tests.routing.attempts import BUDGET_S, ask, one

Build = Callable[..., Any]
Clock = trio.testing.MockClock


# What comes of it


async def test_an_answer_is_final_and_evidence(autojump_clock: Clock, world: Build) -> None:
    it = one(world)
    done = await ask(it)
    assert done.final
    assert done.reply.splice(b'"x"') == b'{"jsonrpc":"2.0","id":"x","result":"0x9502f900"}'
    assert done.seconds == pytest.approx(0.05)
    tally = it["a"].tally
    assert (tally.attempts, tally.answered, tally.failures, tally.throttled) == (1, 1, 0, 0)
    assert tally.seconds == pytest.approx(0.05)
    assert tally.rates.total(trio.current_time()) == 1
    assert it.channel("a").row("eth_gasPrice").count(trio.current_time()) == 1
    it.assert_nothing_leaked()


@attrs.frozen
class Expected:
    """What one failure must lead to. `code`: of the error a client would be told if nobody else is asked."""

    category: Category
    code: int
    final: bool = False
    dispatched: bool = True
    declined: bool = False
    unanswered: bool = False
    failures: int = 1
    throttled: int = 0
    answered: int = 0
    evidence: str = "failed"


BROKEN = Expected(Category.PROVIDER_ERROR, -32000, unanswered=True)
LOST = Expected(Category.NETWORK_ERROR, -32000, unanswered=True)
QUOTA = Expected(Category.RATE_LIMIT, -32005, declined=True, failures=0, throttled=1, evidence="none")
REVERT = Expected(Category.EXECUTION_REVERT, 3, final=True, failures=0, answered=1, evidence="succeeded")
CASES: dict[str, tuple[Failure, Expected]] = {
    "500": (Failure(Kind.HTTP), Expected(Category.SERVER_ERROR, -32002, unanswered=True)),
    "502 html": (Failure(Kind.HTTP, status=502), Expected(Category.SERVER_ERROR, -32002, unanswered=True)),
    "400 text": (Failure(Kind.HTTP, status=400, body="no"), Expected(Category.SERVER_ERROR, -32002, unanswered=True)),
    "302": (Failure(Kind.HTTP, status=302, body=""), Expected(Category.PROVIDER_ERROR, -32002, unanswered=True)),
    "401": (Failure(Kind.HTTP, status=401), Expected(Category.AUTH_ERROR, -32002, unanswered=True)),
    "429": (Failure(Kind.HTTP, status=429), QUOTA),
    "429 in words": (Failure(Kind.HTTP, status=503, body="Too many requests"), attrs.evolve(QUOTA, code=-32002)),
    "rate limit": (Failure(Kind.RPC, code=-32005, message="slow down"), QUOTA),
    "internal error": (Failure(Kind.RPC), Expected(Category.INTERNAL_ERROR, -32603)),
    "not found": (
        Failure(Kind.RPC, code=-32601, message="method not found"),
        Expected(Category.METHOD_NOT_FOUND, -32601, declined=True, failures=0, evidence="none"),
    ),
    "pruned": (
        Failure(Kind.RPC, code=-32000, message="missing trie node"),
        Expected(Category.REQUIRES_ARCHIVAL, -32000, declined=True, failures=0, evidence="none"),
    ),
    "revert": (Failure(Kind.RPC, code=3, message="execution reverted: rate limit", data="0x08c379a0"), REVERT),
    "bad params": (
        Failure(Kind.RPC, code=-32602, message="invalid argument 0"),
        attrs.evolve(REVERT, category=Category.INVALID_PARAMS, code=-32602),
    ),
    "unheard of": (
        Failure(Kind.RPC, code=-12345, message="what"),
        Expected(Category.UNKNOWN_ERROR, -12345, final=True, failures=0, evidence="none"),
    ),
    "garbage": (Failure(Kind.GARBAGE), BROKEN),
    "wrong id": (Failure(Kind.WRONG_ID), BROKEN),
    "both": (Failure(Kind.BOTH), BROKEN),
    "neither": (Failure(Kind.NEITHER), BROKEN),
    "reset": (Failure(Kind.RESET), LOST),
    "truncated": (Failure(Kind.TRUNCATED), LOST),
    "hang": (Failure(Kind.HANG), Expected(Category.TIMEOUT, -32007, unanswered=True, evidence="expired")),
    "drip": (
        Failure(Kind.DRIP, bytes_per_s=10),
        Expected(Category.TIMEOUT, -32007, unanswered=True, evidence="expired"),
    ),
}  # fmt: skip


def _evidence(row: Evidence, now: float) -> str:
    if row.censored(now):
        return "expired"
    return "failed" if row.failures(now) else "succeeded" if row.count(now) else "none"


@pytest.mark.parametrize(("failure", "expected"), CASES.values(), ids=CASES.keys())
async def test_every_failure_is_judged_told_and_counted_once(
    autojump_clock: Clock, world: Build, failure: Failure, expected: Expected
) -> None:
    it = one(world, failure)
    done = await ask(it)
    now, tally, row = trio.current_time(), it["a"].tally, it.channel("a").row("eth_gasPrice")
    code = done.reply.error.code if done.reply is not None else done.error.code
    found = Expected(
        done.verdict.category, code, done.final, done.dispatched, done.declined, done.unanswered, tally.failures,
        tally.throttled, tally.answered,
        _evidence(row, now),
    )  # fmt: skip
    assert found == expected
    assert (done.reply is None) == (done.error is not None)
    assert tally.attempts == 1
    assert tally.rates.total(now) == 1
    assert row.failures(now) == expected.failures
    assert done.seconds == pytest.approx(BUDGET_S if expected.evidence == "expired" else 0.05)
    assert it.asked == {"a": 1}
    it.assert_nothing_leaked()


@pytest.mark.parametrize(("failure", "expected"), CASES.values(), ids=CASES.keys())
async def test_the_breaker_is_told_of_the_providers_failures_alone(
    autojump_clock: Clock, world: Build, failure: Failure, expected: Expected
) -> None:
    it = one(world, failure)
    breaker = it.channel("a").breaker
    for _ in range(6):
        if breaker.state(trio.current_time()) is State.CLOSED:
            await ask(it)
    opened = breaker.state(trio.current_time()) is State.OPEN
    assert opened == (expected.failures > 0)
    assert breaker.reason == (expected.category if opened else "")
    assert it.channel("a").cooldown.active(trio.current_time()) == (expected.throttled > 0)


async def test_a_refused_connection_was_no_dispatch(autojump_clock: Clock, world: Build) -> None:
    it = one(world)
    it.network.down.add("a")
    done = await ask(it)
    assert (done.dispatched, done.unanswered, done.verdict.category) == (False, False, Category.NETWORK_ERROR)
    assert (done.error.code, done.error.data) == (-32000, {"reason": "refused"})
    assert it["a"].tally.failures == 1
    it.assert_nothing_leaked()


async def test_a_connection_that_does_not_come_about_in_time_was_no_dispatch(
    autojump_clock: Clock, world: Build
) -> None:
    it = one(world)
    it.network.dark.add("a")
    done = await ask(it)
    assert (done.dispatched, done.unanswered, done.error.code) == (False, False, -32007)
    assert done.seconds == pytest.approx(BUDGET_S)
    it.assert_nothing_leaked()


async def test_a_full_pool_is_nobodys_failure(autojump_clock: Clock, world: Build) -> None:
    it = one(world)
    await it.channel("a").pool.aclose()
    done = await ask(it)
    assert (done.dispatched, done.declined, done.verdict.category) == (False, True, Category.LOCAL_CAPACITY)
    assert (done.error.code, it["a"].tally.failures) == (-32005, 0)
    assert it.channel("a").row("eth_gasPrice").failures(trio.current_time()) == 0


async def test_an_answer_beyond_the_cap_would_be_too_large_from_anybody(autojump_clock: Clock, world: Build) -> None:
    it = one(world, max_response_bytes=10_000)
    done = await ask(it, "devnet_blob", "[20000]")
    assert (done.error.code, done.error.data) == (-32000, {"reason": "response_too_large"})
    assert done.hopeless
    assert it["a"].tally.failures == 0
    it.assert_nothing_leaked()


@pytest.mark.parametrize("status", [200, 500])
async def test_an_answer_to_another_request_is_the_last_on_its_connection(
    autojump_clock: Clock, world: Build, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr("lasso_trio.routing.attempt._ids", iter([1, 2]))
    it = one(world, Failure(Kind.HTTP, status=status, body='{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}'))
    pool = it.channel("a").pool
    await ask(it)
    assert (pool.idle, pool.counters.closed) == (1, {})
    await ask(it)
    assert (pool.idle, pool.counters.closed) == (0, {"distrusted": 1})
    it.assert_nothing_leaked()


async def test_an_answer_that_is_merely_broken_leaves_its_connection_in_use(
    autojump_clock: Clock, world: Build
) -> None:
    it = one(world, Failure(Kind.GARBAGE))
    await ask(it)
    assert it.channel("a").pool.idle == 1


# What an error says


@pytest.mark.parametrize(
    ("failure", "seconds"),
    [
        (Failure(Kind.HTTP, status=429, retry_after_s=7), 7.0),
        (Failure(Kind.HTTP, status=429, retry_after_s=0.5), 0.5),
        (Failure(Kind.RPC, code=-32005, message="x", data={"retry_after": 3}), 3.0),
        (Failure(Kind.RPC, code=-32005, message="rate limit: try again in 3.2 seconds"), 3.2),
        (Failure(Kind.RPC, code=429, message="Too many requests, retry in 5 minutes"), 300.0),
    ],
)
async def test_a_rate_limit_cools_down_for_as_long_as_the_provider_says(
    autojump_clock: Clock, world: Build, failure: Failure, seconds: float
) -> None:
    it = one(world, failure)
    await ask(it)
    assert it.channel("a").cooldown.remaining(trio.current_time()) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("status", "hint_s", "body", "seconds"),
    [
        (503, 20, None, 20.0),
        (503, 200_000, None, 300.0),
        (503, None, "back in 20 seconds", 0.0),
        (503, 0, None, 0.0),
        (500, 20, None, 0.0),
        (503, 20, '{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"method not found"}}', 0.0),
    ],
)
async def test_a_503_is_left_alone_for_as_long_as_its_header_says_and_counts_as_ever(
    autojump_clock: Clock, world: Build, status: int, hint_s: float | None, body: str | None, seconds: float
) -> None:
    it = one(world, Failure(Kind.HTTP, status=status, retry_after_s=hint_s, body=body))
    done = await ask(it)
    channel = it.channel("a")
    assert channel.cooldown.remaining(trio.current_time()) == pytest.approx(seconds)
    assert (channel.breaker.failures, it["a"].tally.throttled) == (int(done.verdict.counts), 0)


async def test_an_error_object_in_an_http_error_is_the_providers_word(autojump_clock: Clock, world: Build) -> None:
    """Some nodes answer reverts and unknown methods with HTTP 400 or 500."""
    body = '{"jsonrpc":"2.0","id":null,"error":{"code":3,"message":"execution reverted"}}'
    it = one(world, Failure(Kind.HTTP, status=400, body=body))
    done = await ask(it)
    assert done.final
    assert done.reply.splice(b"7") == body.replace("null", "7").encode()


async def test_a_result_in_an_http_error_is_not_believed(autojump_clock: Clock, world: Build) -> None:
    it = one(world, Failure(Kind.HTTP, status=500, body='{"jsonrpc":"2.0","id":1,"result":1}'))
    done = await ask(it)
    assert (done.reply, done.error.code) == (None, -32002)


async def test_the_providers_own_rules_go_first(autojump_clock: Clock, world: Build) -> None:
    rules = (ErrorRule("capability_violation", message_contains=("INTERNAL",)),)
    done = await ask(one(world, Failure(Kind.RPC), rules=rules))
    assert (done.verdict.category, done.declined) == (Category.CAPABILITY_VIOLATION, True)


async def test_a_rule_about_a_bare_http_error_still_leaves_something_to_say(
    autojump_clock: Clock, world: Build
) -> None:
    rules = (ErrorRule("client_error", code=400),)
    it = one(world, Failure(Kind.HTTP, status=400, body="bad request"), rules=rules)
    done = await ask(it)
    assert (done.final, done.reply, done.error.code) == (True, None, -32002)


# Cancellation


@pytest.mark.parametrize("state", [State.CLOSED, State.HALF_OPEN])
async def test_a_caller_that_leaves_leaves_nothing_behind(
    autojump_clock: Clock, world: Build, state: State, nursery: trio.Nursery
) -> None:
    it = one(world, Failure(Kind.HANG))
    channel = it.channel("a")
    if state is State.HALF_OPEN:
        for _ in range(3):
            channel.failed("eth_call", VERDICTS[Category.NETWORK_ERROR], 0.0, trio.current_time())
        await trio.sleep(70)
    with trio.CancelScope() as scope:
        nursery.start_soon(_cancel_when_idle, scope)
        await ask(it)
    assert scope.cancelled_caught
    it.assert_nothing_leaked()
    now, tally = trio.current_time(), it["a"].tally
    assert (tally.attempts, tally.answered, tally.failures) == (1, 0, 0)
    assert channel.row("eth_gasPrice").failures(now) == channel.row("eth_gasPrice").censored(now) == 0
    assert channel.breaker.state(now) is state
    assert channel.admit(now)


async def _cancel_when_idle(scope: trio.CancelScope) -> None:
    await trio.testing.wait_all_tasks_blocked()
    scope.cancel()


async def test_a_caller_that_leaves_in_the_middle_of_a_large_answer_leaves_nothing_behind(
    autojump_clock: Clock, world: Build
) -> None:
    it = one(world, Failure(Kind.DRIP, bytes_per_s=10_000), stream_threshold=2_000)
    with trio.move_on_after(0.5) as scope:
        await ask(it, "devnet_blob", "[100000]")
    assert scope.cancelled_caught
    it.assert_nothing_leaked()


async def test_a_mistake_of_our_own_frees_the_place_and_is_not_swallowed(
    autojump_clock: Clock, world: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = one(world)
    monkeypatch.setattr("lasso_trio.routing.attempt.check", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await ask(it)
    assert it.channel("a").in_flight == 0
    assert it["a"].tally.failures == 0


async def test_upstream_ids_are_never_used_twice(
    autojump_clock: Clock, world: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    it, sent = one(world), []
    pool = it.channel("a").pool

    async def exchange(body: bytes, **_: object) -> None:
        sent.append(body)
        raise UpstreamFault("refused")

    monkeypatch.setattr(pool, "exchange", exchange)
    for _ in range(5):
        await ask(it)
        it.channel("a").breaker.failures = 0
    assert len(set(sent)) == 5
    assert all(b'"id":7' not in body or body.count(b'"id"') == 1 for body in sent)


async def test_a_deadline_that_passes_in_our_own_queue_is_not_held_against_the_provider(
    autojump_clock: Clock, world: Build
) -> None:
    it = world({"a": Faults(latency=Latency.constant(30_000))}, max_connections=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, it)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(4):
            done = await ask(it, budget_s=0.1)
            assert (done.dispatched, done.final) == (False, False)
            assert done.error is not None
            assert done.error.code == -32005
        assert it.channel("a").breaker.state(trio.current_time()) is State.CLOSED
        assert it["a"].tally.failures == 0
