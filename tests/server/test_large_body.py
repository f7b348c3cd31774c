"""A large result on its way: spliced, bounded in its pauses, closed whatever happens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from math import inf
from typing import Self

import attrs
import pytest
import trio

from lasso_trio.jsonrpc.large_reply import LargeReply, recognise
from lasso_trio.jsonrpc.reply import BrokenReply
from lasso_trio.server.large_body import STALL_S, LargeBody, OutOfTime
from lasso_trio.upstream.faults import Disconnected

CLIENT_ID = b'"mine"'


@attrs.define(eq=False)
class Rest(AsyncIterator[bytes]):
    """Pieces of an upstream's answer; a number is a pause in seconds, an error is raised."""

    pieces: list[bytes | float | Exception]
    closed: int = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        await trio.lowlevel.checkpoint()
        while self.pieces:
            piece = self.pieces.pop(0)
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, bytes):
                return piece
            await trio.sleep(piece)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed += 1


@attrs.define(eq=False)
class Http:
    rest: Rest
    content_length: int | None = None


@attrs.define(eq=False)
class Passing:
    """A `routing.outcome.Large` whose provider is told of nothing."""

    json: LargeReply
    http: Http
    broken: int = 0

    def broke_off(self, _: float) -> None:
        self.broken += 1


def large(first: bytes, *pieces: bytes | float | Exception, length: int | None = None) -> Passing:
    json = recognise(first, 7, CLIENT_ID)
    assert json is not None
    return Passing(json, Http(Rest(list(pieces)), length))


def body_of(passing: Passing, extra: bytes = b"", until: float = inf) -> LargeBody:
    return LargeBody(passing, extra, until)  # type: ignore[arg-type]


async def read(body: LargeBody) -> bytes:
    return body.large.json.first + b"".join([piece async for piece in body])


FIRST = b'{"jsonrpc":"2.0","id":7,"result":"' + b"a" * 200


async def test_the_pieces_are_passed_on_with_the_clients_id() -> None:
    body = body_of(large(FIRST, b"b" * 300, b"c", b'"', b"}"))
    assert await read(body) == b'{"jsonrpc":"2.0","id":"mine","result":"' + b"a" * 200 + b"b" * 300 + b'c"}'


async def test_an_id_at_the_end_is_exchanged_too() -> None:
    body = body_of(large(b'{"jsonrpc":"2.0","result":"' + b"a" * 200, b'","i', b'd":', b"7}"))
    assert await read(body) == b'{"jsonrpc":"2.0","result":"' + b"a" * 200 + b'","id":"mine"}'


async def test_members_are_added_before_the_closing_brace() -> None:
    body = body_of(large(FIRST, b'"}\n'), b',"lasso_meta":{}')
    assert (await read(body)).endswith(b'aaa","lasso_meta":{}}\n')


@pytest.mark.parametrize("extra", [b"", b',"lasso_meta":{}'])
async def test_the_length_is_told_when_the_upstream_told_its_own(extra: bytes) -> None:
    whole = FIRST + b"b" * 300 + b'"}'
    body = body_of(large(FIRST, whole[len(FIRST) :], length=len(whole)), extra)
    assert body.length == len(await read(body))


def test_no_length_is_made_up() -> None:
    assert body_of(large(FIRST, b'"}')).length is None


async def test_the_end_is_given_once(autojump_clock: trio.testing.MockClock) -> None:
    body = body_of(large(FIRST, b'"}'))
    await read(body)
    with pytest.raises(StopAsyncIteration):
        await anext(body)


async def test_an_upstream_may_be_slow_but_not_pause(autojump_clock: trio.testing.MockClock) -> None:
    body = body_of(large(FIRST, STALL_S - 1, b"b", STALL_S - 1, b"c", STALL_S - 1, b'"}'))
    assert (await read(body)).endswith(b'bc"}')
    passing = large(FIRST, b"b" * 300, STALL_S + 1, b'"}')
    with pytest.raises(trio.TooSlowError):
        await read(body_of(passing))
    assert passing.broken == 1


async def test_a_clients_own_deadline_binds_all_of_it(autojump_clock: trio.testing.MockClock) -> None:
    until = trio.current_time() + 3.0
    in_time = body_of(large(FIRST, 1.0, b"b", 1.0, b"c", 0.5, b'"}'), until=until)
    assert (await read(in_time)).endswith(b'bc"}')
    passing = large(FIRST, b"b", 0.4, b"c", 0.4, b'"}')
    with pytest.raises(OutOfTime):
        await read(body_of(passing, until=until))
    assert trio.current_time() == pytest.approx(until)
    assert (passing.broken, passing.http.rest.pieces) == (0, [b'"}'])


async def test_it_binds_a_client_that_does_not_take_what_is_there(autojump_clock: trio.testing.MockClock) -> None:
    body = body_of(large(FIRST, b"b" * 300, b"c" * 300, b'"}'), until=trio.current_time() + 3.0)
    await anext(body)
    await trio.sleep(3.0)
    with pytest.raises(OutOfTime):
        await anext(body)
    with pytest.raises(StopAsyncIteration):
        await anext(body)


async def test_a_provider_that_pauses_is_blamed_also_where_the_client_has_time(
    autojump_clock: trio.testing.MockClock,
) -> None:
    passing = large(FIRST, STALL_S + 1, b'"}')
    with pytest.raises(trio.TooSlowError, match="nothing came for 10 s"):
        await read(body_of(passing, until=trio.current_time() + 60.0))
    assert passing.broken == 1


async def test_a_fault_on_the_way_is_raised_and_the_provider_blamed_once() -> None:
    passing = large(FIRST, b"b" * 300, Disconnected("truncated", "gone"))
    body = body_of(passing)
    with pytest.raises(Disconnected, match="gone"):
        await read(body)
    with pytest.raises(StopAsyncIteration):
        await anext(body)
    assert passing.broken == 1


@pytest.mark.parametrize("tail", [b'"', b'"]', b""])
async def test_a_result_without_its_end_is_broken_and_the_provider_blamed(tail: bytes) -> None:
    passing = large(FIRST, b"b" * 300 + tail)
    with pytest.raises(BrokenReply):
        await read(body_of(passing))
    assert passing.broken == 1


async def test_a_client_that_goes_is_nobodys_fault() -> None:
    passing = large(FIRST, b"b" * 300, b"c")
    body = body_of(passing)
    await anext(body)
    await body.aclose()
    assert (passing.http.rest.closed, passing.broken) == (1, 0)
