from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock

from lasso_trio.server.answer import Answer
from lasso_trio.server.answer_source import CLOSE_GRACE, AnswerSource, BrokenAnswer


class Stream:
    def __init__(self, *chunks: bytes) -> None:
        self.chunks = list(chunks)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self.chunks:
            raise StopAsyncIteration
        return self.chunks.pop(0)


class Stubborn(Stream):
    """Does not want to be closed."""

    async def aclose(self) -> None:
        await trio.sleep_forever()


class Broken(Stream):
    async def aclose(self) -> None:
        raise ValueError("no")


async def test_body_comes_before_the_stream_and_the_end_stays_the_end() -> None:
    source = AnswerSource(Answer(200, body=(b"1", b"2"), length=3), Stream(b"3"), gzip=False)
    assert [await source.next() for _ in range(5)] == [b"1", b"2", b"3", None, None]


async def test_length_is_enforced_before_compression() -> None:
    source = AnswerSource(Answer(200, length=3), Stream(b"ab"), gzip=True)
    assert await source.next() is not None  # the empty body
    await source.next()
    with pytest.raises(BrokenAnswer):
        await source.next()


async def test_closing_waits_no_longer_than_its_grace_even_when_cancelled(autojump_clock: MockClock) -> None:
    began = trio.current_time()
    with trio.CancelScope() as scope:
        scope.cancel()
        await AnswerSource(Answer(200), Stubborn(), gzip=False).aclose()
    assert trio.current_time() - began == CLOSE_GRACE


async def test_failure_to_close_is_not_the_clients_business() -> None:
    await AnswerSource(Answer(200), Broken(), gzip=False).aclose()
    await AnswerSource(Answer(200), Stream(), gzip=False).aclose()
