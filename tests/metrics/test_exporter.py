from __future__ import annotations

import gc
import gzip
from collections.abc import Iterator
from time import thread_time

import pytest
import trio
from trio.testing import MockClock

from lasso_trio.metrics.exporter import KEPT_S, PIECE, SLICE_S, Exporter
from lasso_trio.telemetry.prometheus import OPENMETRICS, TEXT, Table, counter

CALLS = counter("lasso_calls_total", "", "Calls.")


class Counting:
    times = 0

    def __call__(self, table: Table, now: float) -> tuple[()]:
        self.times += 1
        table.add(CALLS, self.times)
        return ()


async def test_a_page_is_kept_for_a_second(mock_clock: MockClock) -> None:
    reader = Counting()
    exporter = Exporter([reader])
    assert b"\nlasso_calls_total 1.0\n" in (await exporter.page(TEXT)).body
    mock_clock.jump(KEPT_S * 0.9)
    assert b"\nlasso_calls_total 1.0\n" in (await exporter.page(TEXT)).body
    mock_clock.jump(KEPT_S * 0.2)
    assert b"\nlasso_calls_total 2.0\n" in (await exporter.page(TEXT)).body


async def test_those_who_ask_at_once_share_one_page() -> None:
    reader, pages = Counting(), []
    exporter = Exporter([reader])

    async def ask() -> None:
        pages.append(await exporter.page(TEXT))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask)
    assert (reader.times, len(pages)) == (1, 5)


async def test_each_format_is_a_page_of_its_own() -> None:
    exporter = Exporter([Counting()])
    assert (await exporter.page(OPENMETRICS)).body.endswith(b"# EOF\n")
    assert not (await exporter.page(TEXT)).body.endswith(b"# EOF\n")
    assert b"lasso_calls_total" in gzip.decompress((await exporter.page(TEXT, zipped=True)).body)


async def test_others_run_between_the_slices() -> None:
    ran = 0

    def slow(table: Table, now: float) -> Iterator[None]:
        for _ in range(5):
            began = thread_time()
            while thread_time() - began < SLICE_S * 1.5:
                pass
            yield

    async def other() -> None:
        nonlocal ran
        while True:
            await trio.lowlevel.checkpoint()
            ran += 1

    exporter = Exporter([slow])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        await trio.lowlevel.checkpoint()
        before = ran
        await exporter.read()
        assert ran - before >= 5
        nursery.cancel_scope.cancel()
    assert exporter.longest_slice_s >= SLICE_S


async def test_who_stops_waiting_leaves_the_exporter_usable() -> None:
    exporter = Exporter([Counting()])
    with trio.CancelScope() as scope:
        scope.cancel()
        await exporter.page(TEXT)
    assert b"lasso_calls_total" in (await exporter.page(TEXT)).body


@pytest.mark.parametrize("enabled", [True, False])
async def test_the_collector_is_held_back_for_the_page_and_no_longer(enabled: bool) -> None:
    seen = []

    def look(table: Table, now: float) -> tuple[()]:
        seen.append(gc.isenabled())
        raise ZeroDivisionError

    was = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with pytest.raises(ZeroDivisionError):
            await Exporter([look]).page(TEXT)
        assert (seen, gc.isenabled()) == ([False], enabled)
    finally:
        (gc.enable if was else gc.disable)()


@pytest.mark.parametrize("zipped", [False, True])
async def test_a_large_page_is_made_in_pieces_that_are_the_page(zipped: bool) -> None:
    def many(table: Table, now: float) -> tuple[()]:
        for number in range(20_000):
            table.add(CALLS, number)
        return ()

    page = await Exporter([many]).page(TEXT, zipped=zipped)
    assert page.size == len(page.body)
    assert all(len(piece) >= PIECE for piece in page.pieces[:-1])
    assert max(map(len, page.pieces)) < 2 * PIECE
    text = gzip.decompress(page.body) if zipped else page.body
    assert text.count(b"\nlasso_calls_total ") == 20_000
