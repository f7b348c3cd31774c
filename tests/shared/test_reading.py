from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle

import pytest
import trio

from lasso_trio.shared.lane import Lane
from lasso_trio.shared.line import EngineFault
from lasso_trio.shared.reading import AT_ONCE, READ_S, TIMEOUT_S, Found, Reading
from tests.shared.engine import AHEAD_S, FakeEngine


@asynccontextmanager
async def reading(engine: FakeEngine) -> AsyncIterator[Reading]:
    made = Reading(engine.lane("cache_read"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.lane.run, made.run)
        await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(0.05)
        yield made
        nursery.cancel_scope.cancel()


async def timed(made: Reading, key: bytes = b"k") -> tuple[Found | None, float]:
    began = trio.current_time()
    return await made.look(key, b"e"), trio.current_time() - began


async def test_calls_that_wait_together_are_one_round_trip(autojump_clock: trio.testing.MockClock) -> None:
    engine, found = FakeEngine({b"a": b"1", b"e": b"era"}), list[Found | None]()
    async with reading(engine) as made:

        async def look(key: bytes) -> None:
            found.append(await made.look(key, b"e"))

        rounds = len(engine.asked)
        async with trio.open_nursery() as nursery:
            for key in (b"a", b"a", b"b"):
                nursery.start_soon(look, key)
        assert len(engine.asked) == rounds + 1
        assert engine.asked[-1][1][0] == "MGET"
        assert sorted(engine.asked[-1][1][1:]) == [b"a", b"b", b"e"]
        assert sorted((each.value or b"-", each.era) for each in found if each) == [
            (b"-", b"era"),
            (b"1", b"era"),
            (b"1", b"era"),
        ]
        assert all(each and each.offset.low <= AHEAD_S <= each.offset.high for each in found)


async def test_a_stuck_engine_costs_some_calls_a_little_and_the_others_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    engine = FakeEngine()
    async with reading(engine) as made:
        engine.takes_s = 1000.0
        assert await timed(made) == (None, pytest.approx(READ_S))
        await trio.sleep(0.001)
        assert await timed(made) == (None, 0.0)
        await trio.sleep(5)
        assert not made.lane.up
        assert await timed(made) == (None, 0.0)
        assert made.late == 1


async def test_it_is_taken_up_again_by_itself(autojump_clock: trio.testing.MockClock) -> None:
    engine = FakeEngine({b"k": b"v"})
    async with reading(engine) as made:
        engine.fault = EngineFault("unreachable")
        assert (await timed(made))[0] is None
        await trio.sleep(60)
        engine.fault = None
        await trio.sleep(6)
        found, _ = await timed(made)
        assert found is not None
        assert found.value == b"v"


async def waits(made: Reading, calls: int) -> list[float]:
    """Of calls that come twenty in a second."""
    waited = []
    for _ in range(calls):
        waited.append((await timed(made))[1])
        await trio.sleep(0.05)
    return waited


@pytest.mark.parametrize("takes_s", [READ_S * 1.2, 0.018, 0.09, 1.0])
async def test_one_that_is_always_slow_is_left_alone(takes_s: float, autojump_clock: trio.testing.MockClock) -> None:
    engine = FakeEngine()
    async with reading(engine) as made:
        engine.takes_s = takes_s
        waited = await waits(made, 1000)
        assert not made.lane.up
        assert made.lane.reason == ("slow" if takes_s < TIMEOUT_S else "timeout")
        assert sum(waited) <= 5 * READ_S + 1e-6  # of a thousand
        engine.takes_s = 0.001
        await trio.sleep(6)
        assert (await timed(made))[0] is not None


@pytest.mark.parametrize("takes", [(0.001, 0.06, 0.06), (0.001, 0.018), (0.001, 0.001, 0.018)])
async def test_one_that_is_slow_by_turns_is_left_alone(
    takes: tuple[float, ...], autojump_clock: trio.testing.MockClock
) -> None:
    engine = FakeEngine()
    async with reading(engine) as made:
        engine.turns = cycle(takes)
        waited = await waits(made, 1000)
        assert made.lane.reason == "slow"
        assert sorted(waited)[989] < READ_S


async def test_one_that_is_late_now_and_then_is_kept_and_costs_a_few_milliseconds(
    autojump_clock: trio.testing.MockClock,
) -> None:
    engine = FakeEngine({b"k": b"v"})
    async with reading(engine) as made:
        found = []
        for n in range(300):
            engine.takes_s = 0.06 if n % 10 == 0 else 0.001
            answer, took = await timed(made)
            found.append(answer)
            assert took <= READ_S + 1e-6
            await trio.sleep(0.1)
        assert made.lane.up
        assert made.lane.failures == 0
        assert (found.count(None), made.late) == (30, 30)


async def test_who_waits_for_the_round_before_as_well_waits_no_longer(autojump_clock: trio.testing.MockClock) -> None:
    engine = FakeEngine()
    async with reading(engine) as made:
        engine.takes_s = READ_S * 0.8  # in time, for who comes alone
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.look, b"a", b"e")
            await trio.sleep(READ_S * 0.1)
            assert await timed(made) == (None, pytest.approx(READ_S))
        await trio.sleep(READ_S)
        assert made.late_share > 0


async def test_one_that_comes_back_slow_is_given_up_sooner(autojump_clock: trio.testing.MockClock) -> None:
    engine = FakeEngine()
    async with reading(engine) as made:

        async def late_ones() -> int:
            """Until it is given up; then it is well until it is taken up again."""
            before, engine.takes_s = made.late, 0.018
            while made.lane.up:
                await waits(made, 1)
            engine.takes_s = 0.001
            await trio.sleep(6)
            assert made.lane.up
            return made.late - before

        assert await late_ones() == 5
        assert max([await late_ones() for _ in range(9)]) <= 2
        await waits(made, 100)
        assert await late_ones() == 5


async def test_what_was_wanted_when_it_was_given_up_is_not_held_against_it_when_it_is_back(
    autojump_clock: trio.testing.MockClock, nursery: trio.Nursery
) -> None:
    engine = FakeEngine()
    async with reading(engine) as made:

        async def calls() -> None:
            while True:
                nursery.start_soon(made.look, b"k", b"e")
                await trio.sleep(0.001)

        nursery.start_soon(calls)
        engine.takes_s = 0.02
        await trio.sleep(5)
        assert not made.lane.up
        engine.takes_s, failures = 0.001, made.lane.failures
        await trio.sleep(12)
        assert made.lane.up
        assert made.lane.failures == failures
        nursery.cancel_scope.cancel()


async def test_who_waits_for_the_next_round_when_one_fails_is_sent_on_at_once(
    autojump_clock: trio.testing.MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks_off(*_: object) -> None:
        raise EngineFault("unreachable")

    async with reading(FakeEngine()) as made:
        monkeypatch.setattr(FakeEngine, "do", breaks_off)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(made.look, b"a", b"e")
            await trio.sleep(0.0005)
            found, took = await timed(made)
        assert found is None
        assert took < 0.001


async def test_more_than_fit_into_a_round_go_on_without(autojump_clock: trio.testing.MockClock) -> None:
    told: list[tuple[Found | None, float]] = []
    async with reading(FakeEngine()) as made:

        async def look(key: bytes) -> None:
            told.append(await timed(made, key))

        async with trio.open_nursery() as nursery:
            for n in range(AT_ONCE + 3):
                nursery.start_soon(look, b"%d" % n)
    assert [took for found, took in told if found is None] == [0.0] * 3


async def test_at_its_end_nobody_is_left_waiting(autojump_clock: trio.testing.MockClock) -> None:
    engine, told = FakeEngine(), list[tuple[Found | None, float]]()

    async def look(made: Reading) -> None:
        told.append(await timed(made))

    async with trio.open_nursery() as nursery, reading(engine) as made:
        engine.takes_s = 1000.0
        nursery.start_soon(look, made)
        await trio.sleep(0.005)
        nursery.start_soon(look, made)
        await trio.sleep(0.001)
    assert [found for found, _ in told] == [None, None]
    assert max(took for _, took in told) < READ_S


async def test_before_it_runs_nobody_waits() -> None:
    assert await Reading(Lane("cache_read", FakeEngine().dial)).look(b"k", b"e") is None
