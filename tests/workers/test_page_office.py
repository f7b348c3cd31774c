"""The parent's sums, over workers' buses in memory. They are made in threads, so time is real."""

from __future__ import annotations

import pytest
import trio

from lasso_trio.telemetry.across import Across
from lasso_trio.workers import page_office
from lasso_trio.workers.bus import PARENT, Bus
from lasso_trio.workers.page_office import PART, WHOLE, PageOffice
from lasso_trio.workers.told_page import ToldFamily, Whole, packed, unpacked_whole
from lasso_trio.workers.topics import BusFault
from lasso_trio.workers.worker import tell_ready
from tests.workers.crew import Crew, crew_of


class Counts:
    """What each worker has counted, and who hangs."""

    def __init__(self) -> None:
        self.calls: dict[int, float] = {}
        self.hung: set[int] = set()

    def prepare(self, bus: Bus) -> None:
        async def part(sender: int, payload: bytes) -> bytes:
            if bus.worker in self.hung:
                await trio.sleep_forever()
            rows = [((), self.calls.get(bus.worker, 0.0))]
            return packed([ToldFamily("calls_total", "counter", (), "Calls.", Across.SUM, rows)])

        bus.answer(PART, part)


async def ask(crew: Crew, worker: int) -> Whole:
    return unpacked_whole(await crew[worker].ask(WHOLE, b"", PARENT, 5))


def calls(whole: Whole) -> object:
    (family,) = whole.page
    return family.rows[0][1]


async def ready(crew: Crew) -> PageOffice:
    office = PageOffice(crew.switch, lambda: dict.fromkeys(crew.buses, 0))
    office.serve()
    for bus in crew.buses.values():
        tell_ready(bus)
    await crew.settle()
    return office


async def test_whoever_asks_is_told_the_sum_and_who_keeps() -> None:
    counts = Counts()
    counts.calls = {0: 5, 1: 7}
    async with crew_of(2, counts.prepare) as crew:
        await ready(crew)
        for worker in (0, 1):
            whole = await ask(crew, worker)
            assert calls(whole) == 12
            assert [(seat.worker, seat.up, seat.keeping, seat.missing) for seat in whole.seats] == [
                (0, True, True, False),
                (1, True, False, False),
            ]
            assert whole.cpu_s > 0 < whole.resident_bytes


async def test_a_dead_workers_counts_stay_and_its_successor_adds_to_them() -> None:
    counts = Counts()
    counts.calls = {0: 5, 1: 7}
    async with crew_of(2, counts.prepare) as crew:
        await ready(crew)
        assert calls(await ask(crew, 1)) == 12
        await crew.kill(0)
        assert calls(await ask(crew, 1)) == 12
        counts.calls[0] = 2
        tell_ready(await crew.join(0))
        await crew.settle()
        assert calls(await ask(crew, 1)) == 14
        await crew.kill(0)
        assert calls(await ask(crew, 1)) == 14


async def test_a_worker_that_hangs_is_said_to_be_missing_and_its_last_counts_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page_office, "PATIENCE_S", 0.2)
    counts = Counts()
    counts.calls = {0: 5, 1: 7}
    async with crew_of(2, counts.prepare) as crew:
        await ready(crew)
        await ask(crew, 0)
        counts.hung.add(1)
        whole = await ask(crew, 0)
        assert calls(whole) == 12
        assert [seat.missing for seat in whole.seats] == [False, True]


async def test_a_worker_that_takes_no_calls_yet_is_not_asked() -> None:
    counts = Counts()
    counts.calls = {0: 5, 1: 7}
    async with crew_of(2, counts.prepare) as crew:
        PageOffice(crew.switch, dict).serve()
        tell_ready(crew[0])
        await crew.settle()
        assert calls(await ask(crew, 1)) == 5


async def test_a_page_that_is_too_large_for_the_bus_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_office, "MAX_PAYLOAD", 10)
    async with crew_of(1, Counts().prepare) as crew:
        await ready(crew)
        with pytest.raises(BusFault, match="too large"):
            await ask(crew, 0)
