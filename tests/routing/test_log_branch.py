"""Which blocks are looked at before parts of several providers are put together."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import trio
import trio.testing

from lasso_trio.config.profile import Strategy
from lasso_trio.devnet import Failure, Faults
from lasso_trio.devnet import Kind as FailureKind
from lasso_trio.jsonrpc.methods import known
from lasso_trio.jsonrpc.reply import check
from lasso_trio.routing.call import Call
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.log_branch import YOUNG_BLOCKS, _hash_in, anchor_of, conflict_in, doubts
from lasso_trio.routing.log_filter import LogQuery
from lasso_trio.routing.split import Log, Part

Build = Callable[..., Any]
Clock = trio.testing.MockClock


def part(first: int, last: int, *blocks: int, hash_: str = "0xA") -> Part:
    return Part(LogQuery(first, last), tuple(Log(block, 0, hash_, b"{}") for block in blocks))


def test_the_newest_log_of_each_other_provider_is_looked_at(chain_of: Build) -> None:
    a, b, c = chain_of("a", "b", "c").candidates
    found = [
        (part(0, 9, 5), b),
        (part(10, 19, 11, 14), b),
        (part(20, 29, 22), c),
        (part(30, 39, 33), a),
        (part(15, 18, 17), None),
    ]
    assert anchor_of(found) is a
    assert [log.block for log in doubts(found, a, 4)] == [14, 22]
    assert [log.block for log in doubts(found, a, 14)] == [22]
    assert doubts(found, a, 22) == []
    assert [log.block for log in doubts([*found, (part(10, 29, 14, 20), a)], a, 4)] == [22]


def test_two_names_of_one_instance_are_one_provider(chain_of: Build) -> None:
    a, b = chain_of("a", "b", instances={"a": "1:x", "b": "1:x"}).candidates
    assert doubts([(part(0, 9, 5), a), (part(10, 19), b)], b, 0) == []


def call_of(it: Any) -> Call:
    method, now = known("eth_getLogs"), trio.current_time()
    assert method is not None
    plan = it.routed.plan(method, b"[]", now, Strategy.PRIORITY)
    return Call(it.routed, method, b"[]", b"7", plan, now, now + 5.0)


def heads(it: Any, finalized: int | None) -> None:
    for candidate in it.routed.candidates:
        candidate.head.tell(1000, trio.current_time(), 12.0)
        candidate.head.finalized = finalized


async def hash_of(it: Any, block: int) -> str:
    found = (await it.ask("eth_getBlockByNumber", f'["{block:#x}",false]'))["result"]["hash"]
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize("finalized", [900, None])
async def test_the_newest_parts_teller_decides_what_strays(
    autojump_clock: Clock, world: Build, finalized: int | None
) -> None:
    it = world({"a": Faults(), "b": Faults()})
    heads(it, finalized)
    a, b = it.routed.candidates
    right, newest = await hash_of(it, 950), (part(960, 990), a)
    good = [(part(900, 959, 950, hash_=right.upper().replace("X", "x")), b), newest]
    bad = [(part(900, 959, 950, hash_="0xB"), b), newest]
    assert await conflict_in(call_of(it), Random(1), good, a) is None
    conflict = await conflict_in(call_of(it), Random(1), bad, a)
    assert conflict is not None
    assert (conflict.block, conflict.since) == (950, (900 if finalized else 1000 - YOUNG_BLOCKS) + 1)
    assert it.provider("b").calls.total() == 0
    old = 1000 - YOUNG_BLOCKS
    assert await conflict_in(call_of(it), Random(1), [(part(0, old, old, hash_="0xB"), b), newest], a) is None


async def test_a_finalized_block_that_nobody_tells_any_more_is_no_bound(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(), "b": Faults()})
    heads(it, 900)
    assert it.routed.height_of("finalized", trio.current_time()) == 900
    heads(it, None)
    a, b = it.routed.candidates
    found: list[tuple[Part, Candidate | None]] = [(part(880, 899, 890, hash_="0xB"), b), (part(960, 990), a)]
    conflict = await conflict_in(call_of(it), Random(1), found, a)
    assert conflict is not None
    assert conflict.since == 1000 - YOUNG_BLOCKS + 1


async def test_without_heads_nothing_is_looked_at(autojump_clock: Clock, world: Build) -> None:
    it = world({"a": Faults(), "b": Faults()})
    a, b = it.routed.candidates
    assert await conflict_in(call_of(it), Random(1), [(part(0, 9, 5), b), (part(9, 19), a)], a) is None
    assert it.asked == {}


@pytest.mark.parametrize("kind", [FailureKind.HTTP, FailureKind.GARBAGE])
async def test_who_does_not_say_contradicts_nobody(autojump_clock: Clock, world: Build, kind: FailureKind) -> None:
    it = world({"a": Faults(failures=[Failure(kind)]), "b": Faults()})
    heads(it, 900)
    a, b = it.routed.candidates
    found: list[tuple[Part, Candidate | None]] = [(part(900, 959, 950), b), (part(960, 990), a)]
    assert await conflict_in(call_of(it), Random(1), found, a) is None
    it.provider("a").plan.set(Faults())
    unborn: list[tuple[Part, Candidate | None]] = [(part(900, 99_999, 99_999), b), (part(100_000, 100_001), a)]
    assert await conflict_in(call_of(it), Random(1), unborn, a) is None


@pytest.mark.parametrize(("left", "took"), [(30.0, 1.0), (2.0, 0.4)])
async def test_an_anchor_that_hangs_is_waited_for_a_moment_for_all_doubts_together(
    autojump_clock: Clock, world: Build, left: float, took: float
) -> None:
    it = world({"a": Faults(failures=[Failure(FailureKind.HANG)]), "b": Faults(), "c": Faults()})
    heads(it, 900)
    a, b, c = it.routed.candidates
    found: list[tuple[Part, Candidate | None]] = [
        (part(900, 929, 920), b), (part(930, 959, 950), c), (part(960, 990), a),
    ]  # fmt: skip
    call, began = call_of(it), trio.current_time()
    call.deadline = began + left
    assert await conflict_in(call, Random(1), found, a) is None
    assert trio.current_time() - began == pytest.approx(took)
    assert it.provider("a").calls.total() == 2


async def test_of_several_that_stray_the_oldest_block_is_told(autojump_clock: Clock, world: Build) -> None:
    it = world(dict.fromkeys("abc", Faults()))
    heads(it, 900)
    a, b, c = it.routed.candidates
    found: list[tuple[Part, Candidate | None]] = [
        (part(930, 959, 950), b), (part(900, 929, 920), c), (part(960, 990), a),
    ]  # fmt: skip
    conflict = await conflict_in(call_of(it), Random(1), found, a)
    assert conflict is not None
    assert (conflict.block, conflict.since) == (920, 901)


@pytest.mark.parametrize("result", [b"null", b'"0x1"', b"{}", b'{"hash":1}'])
def test_what_is_no_block_has_no_hash(result: bytes) -> None:
    assert _hash_in(check(b'{"jsonrpc":"2.0","id":1,"result":%b}' % result, 1)) is None
