"""Attempts whose answer is large: passed on while it comes, or held whole; never from somebody else's request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing

from lasso_trio.devnet import Failure, Kind
from lasso_trio.providers.catalogue import Category
from tests.routing.attempts import BUDGET_S, ask, one

Build = Callable[..., Any]
Clock = trio.testing.MockClock


async def test_a_large_result_is_let_through_and_the_rest_is_its_owners(autojump_clock: Clock, world: Build) -> None:
    it = one(world, stream_threshold=2_000)
    done = await ask(it, "devnet_blob", "[100000]", stream=True)
    assert done.final
    assert done.reply is None
    large = done.large
    assert it.channel("a").pool.busy == 1
    pieces = [large.json.first, *[large.json.feed(piece) async for piece in large.http.rest], large.json.finish()]
    text = b"".join(pieces)
    assert text.startswith(b'{"jsonrpc":"2.0","id":7,"result":"')
    assert len(text) == large.http.content_length + large.json.growth
    it.assert_nothing_leaked()


async def test_a_large_result_that_may_not_pass_is_held_whole(autojump_clock: Clock, world: Build) -> None:
    it = one(world, stream_threshold=2_000)
    done = await ask(it, "devnet_blob", "[100000]")
    assert (done.large, len(done.reply.after)) == (None, 100_000 + len(',"result":""}'))
    it.assert_nothing_leaked()


async def test_a_large_error_is_held_whole_and_judged(autojump_clock: Clock, world: Build) -> None:
    it = one(world, Failure(Kind.RPC, data="x" * 50_000), stream_threshold=2_000)
    done = await ask(it, stream=True)
    assert (done.large, done.reply.error.code, done.verdict.category) == (None, -32603, Category.INTERNAL_ERROR)
    it.assert_nothing_leaked()


async def test_a_large_result_in_an_http_error_is_not_believed_either(
    autojump_clock: Clock, world: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lasso_trio.routing.attempt._ids", iter([1]))
    body = '{"jsonrpc":"2.0","id":1,"result":"%s"}' % ("x" * 100_000)
    it = one(world, Failure(Kind.HTTP, status=500, body=body), stream_threshold=2_000)
    done = await ask(it, stream=True)
    assert (done.large, done.reply, done.error.code) == (None, None, -32002)
    it.assert_nothing_leaked()


@pytest.mark.parametrize("stream", [True, False])
async def test_a_large_answer_to_another_request_is_not_let_through(
    autojump_clock: Clock, world: Build, stream: bool
) -> None:
    it = one(world, Failure(Kind.WRONG_ID), stream_threshold=2_000)
    done = await ask(it, "devnet_blob", "[100000]", stream=stream)
    assert (done.large, done.reply, done.verdict.category) == (None, None, Category.PROVIDER_ERROR)
    it.assert_nothing_leaked()


async def test_a_large_result_that_drips_is_held_to_the_deadline(autojump_clock: Clock, world: Build) -> None:
    it = one(world, Failure(Kind.DRIP, bytes_per_s=10_000), stream_threshold=2_000)
    done = await ask(it, "devnet_blob", "[100000]")
    assert (done.error.code, done.seconds) == (-32007, pytest.approx(BUDGET_S))
    it.assert_nothing_leaked()


async def test_a_result_that_is_held_takes_the_time_until_its_end(autojump_clock: Clock, world: Build) -> None:
    it = one(world, Failure(Kind.DRIP, bytes_per_s=10_000), stream_threshold=2_000)
    done = await ask(it, "devnet_blob", "[10000]")
    assert done.seconds == pytest.approx(1.05, abs=0.2)
