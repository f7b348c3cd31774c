from __future__ import annotations

import attrs
import pytest

from lasso_trio.devnet import Failure, Faults, Kind
from lasso_trio.probe import steps
from lasso_trio.probe.finding import Bound
from lasso_trio.probe.methods import Support, trials
from tests.probe.conftest import HEIGHT, QUICK, Open


@pytest.mark.parametrize(
    ("value", "number"),
    [("0x10", 16), ("0x", None), ("10", None), (16, None), (None, None), ("0xzz", None), ("0x" + "f" * 17, None)],
)
def test_only_quantities_are_read(value: object, number: int | None) -> None:
    assert steps.quantity(value) == number


def test_the_skew_is_how_far_a_date_is_ahead() -> None:
    assert steps.skew("Sun, 06 Nov 1994 08:49:37 GMT", 784111770.5) == 6.5
    assert steps.skew("yesterday", 0.0) is None
    assert steps.skew(None, 0.0) is None


async def test_who_answers_and_how_fast(asked: Open) -> None:
    async with asked() as asker:
        assert await steps.client_version(asker) == "lasso-devnet/1.0"
        found = await steps.measure(asker)
    assert found is not None
    assert found.samples == 5
    assert 0 < found.p50_ms <= found.p99_ms


async def test_latency_of_who_does_not_answer_is_not_known_after_three_calls(asked: Open) -> None:
    async with asked(Faults(failures=(Failure(Kind.HTTP, status=500),))) as asker:
        assert await steps.measure(asker) is None
        assert asker.counter.requests == 3
        assert await steps.client_version(asker) is None
        assert (await steps.newest(asker))[0] is None


async def test_the_head_comes_with_its_age(asked: Open) -> None:
    async with asked() as asker:
        head, http = await steps.newest(asker)
    assert head is not None
    assert head.number == HEIGHT
    assert head.age_s is not None
    assert abs(head.age_s) < 60
    assert http is not None
    assert (http.version, http.http2, http.gzip) == ("HTTP/1.1", None, False)


async def test_all_state_is_found_with_one_question(asked: Open) -> None:
    async with asked() as asker:
        assert await steps.archive_depth(asker, HEIGHT) == Bound(HEIGHT, open=True)
        assert asker.counter.requests == 1


@pytest.mark.parametrize("depth", [0, 1, 100, 128, 1_200])
async def test_the_depth_of_pruned_state_is_found_within_two_percent(asked: Open, depth: int) -> None:
    async with asked(Faults(state_depth=depth)) as asker:
        bound = await steps.archive_depth(asker, HEIGHT)
    assert bound.limit is not None
    assert depth - max(1, depth * 0.02) <= bound.limit <= depth
    assert "missing trie node" in bound.why
    assert not bound.open
    assert asker.counter.requests <= 29


async def test_no_state_at_all_has_no_depth(asked: Open) -> None:
    async with asked(Faults(failures=(Failure(Kind.RPC, code=-32000, message="missing trie node"),))) as asker:
        assert (await steps.archive_depth(asker, HEIGHT)).limit is None


@pytest.mark.parametrize("limit", [1, 10, 777, 1_000, 1_499])
async def test_the_log_range_that_a_refusal_names_is_found_exactly(asked: Open, limit: int) -> None:
    async with asked(Faults(log_range=limit)) as asker:
        bound, learned = await steps.log_range(asker, HEIGHT)
    assert (bound.limit, bound.exact, bound.open) == (limit, True, False)
    assert learned == {}
    assert asker.counter.requests <= 14


async def test_a_log_range_beyond_the_chain_is_open(asked: Open) -> None:
    async with asked(Faults(log_range=50_000)) as asker:
        bound, _ = await steps.log_range(asker, HEIGHT)
    assert bound == Bound(HEIGHT + 1, open=True)


async def test_a_limit_on_results_is_learned_from_the_refusal(asked: Open) -> None:
    refusal = Failure(Kind.RPC, methods=("eth_getLogs",), code=-32005, message="query returned more than 10000 results")
    async with asked(Faults(failures=(refusal,))) as asker:
        assert await steps.log_results(asker, HEIGHT, 1_000) == {"results": 10_000}
        bound, learned = await steps.log_range(asker, HEIGHT)
    assert bound.limit is None
    assert learned == {"results": 10_000}


async def test_a_throttle_ends_a_search_with_what_is_known(asked: Open) -> None:
    refusal = Failure(Kind.HTTP, methods=("eth_getLogs",), status=429, retry_after_s=60)
    async with asked(Faults(failures=(refusal,))) as asker:
        bound, _ = await steps.log_range(asker, HEIGHT)
        assert asker.counter.requests == 1
    assert bound.limit is None
    assert bound.why.startswith("ended early: HTTP 429")


async def test_batches_are_tried_up_to_a_hundred(asked: Open) -> None:
    async with asked() as asker:
        assert await steps.batch_size(asker) == Bound(100, open=True)
        assert (asker.counter.requests, asker.counter.calls) == (3, 160)


async def test_who_takes_no_batch_is_asked_once(asked: Open) -> None:
    async with asked(Faults(failures=(Failure(Kind.RPC, code=-32600, message="no batches here"),))) as asker:
        assert await steps.batch_size(asker) == Bound(None, why="-32600 no batches here")
        assert asker.counter.requests == 1


async def test_methods_are_tried_one_by_one_and_missing_ones_named(asked: Open) -> None:
    told: list[None] = []
    async with asked(Faults(missing_methods=("eth_call", "eth_getProof"))) as asker:
        tried = await steps.try_methods(asker, "standard", lambda: told.append(None))
    support = {trial.method: trial.support for trial in tried}
    assert len(tried) == len(told) == len(trials("standard"))
    assert support["eth_call"] is Support.UNSUPPORTED
    assert support["eth_getBalance"] is Support.SUPPORTED
    assert support["eth_sendRawTransaction"] is Support.SUPPORTED


async def test_a_method_that_hangs_is_a_timeout_and_the_others_are_tried(asked: Open) -> None:

    hang = Failure(Kind.HANG, methods=("eth_call",))
    async with asked(Faults(failures=(hang,)), attrs.evolve(QUICK, timeout_s=0.2)) as asker:
        tried = await steps.try_methods(asker, "standard", lambda: None)
    support = {trial.method: trial.support for trial in tried}
    assert support["eth_call"] is Support.TIMEOUT
    assert support["eth_gasPrice"] is Support.SUPPORTED


async def test_filters_that_were_made_are_taken_away_again(asked: Open) -> None:
    async with asked() as asker:
        tried = await steps.try_methods(asker, "full", lambda: None)
    made = sum(trial.method in steps._FILTER_MAKERS and trial.support is Support.SUPPORTED for trial in tried)
    assert made == 3
    assert asker.counter.requests == len(tried) + made
