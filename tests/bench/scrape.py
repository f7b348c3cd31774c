"""What a scrape of a large node costs its loop: `nox -s bench -- scrape [providers] [methods]`.

A task on the same loop sleeps a millisecond again and again and notes how late it wakes, first with nothing else to do,
then during scrapes (an uncached page each, in a thread). The issue's bound: no stall over 10 ms.
"""

from __future__ import annotations

import math
import sys
from itertools import pairwise
from random import Random
from time import perf_counter, thread_time

import attrs
import trio

from lasso_trio.metrics.exporter import KEPT_S, Exporter, gathered
from lasso_trio.routing.directory import Directory
from lasso_trio.telemetry.loop import settle_memory
from lasso_trio.telemetry.prometheus import TEXT, Table, written
from tests.metrics.scene import make_directory, routed_of
from tests.metrics.test_readers import exporter_of

SCRAPES = 10
CALLS = 300
STEP_S = 0.001


@attrs.define
class Stalls:
    late: list[float] = attrs.field(factory=list)

    async def watch(self) -> None:
        while True:
            asked = perf_counter() + STEP_S
            await trio.sleep(STEP_S)
            self.late.append(perf_counter() - asked)

    def told(self) -> str:
        late = sorted(self.late)
        p99 = late[int(0.99 * len(late))]
        p50 = late[len(late) // 2]
        return f"{len(late)} wakes late by: p50 {1e3 * p50:.2f}, p99 {1e3 * p99:.2f}, worst {1e3 * late[-1]:.2f} ms"


def large(providers: int, methods: int) -> Directory:
    """Every method of every provider with latencies over several decades, so that many buckets are in use."""
    directory, rng = make_directory(providers=providers - 2), Random(1)
    for candidate in routed_of(directory).candidates:
        for number in range(methods):
            for call in range(CALLS):
                candidate.channel.succeeded(f"eth_method_{number}", math.exp(rng.gauss(-3, 1)), call)
    return directory


def longest_hold(table: Table) -> float:
    """Seconds of CPU between two pauses of writing the page, its end included: neighbours do not show in it."""
    times = [thread_time()]
    pieces = gathered(written(table, TEXT, lambda: times.append(thread_time())))
    size = sum(map(len, tuple(pieces)))
    assert size
    return max(after - before for before, after in pairwise([*times, thread_time()]))


async def quiet() -> Stalls:
    stalls = Stalls()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stalls.watch)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    return stalls


async def scraped(exporter: Exporter) -> tuple[Stalls, float, int]:
    """Stalls, mean seconds per page, bytes of a page."""
    stalls, spent, size = Stalls(), 0.0, 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stalls.watch)
        for _ in range(SCRAPES):
            began = perf_counter()
            size = (await exporter.page(TEXT)).size
            spent += perf_counter() - began
            await trio.sleep(KEPT_S)
        nursery.cancel_scope.cancel()
    return stalls, spent / SCRAPES, size


async def main(providers: int, methods: int) -> None:
    exporter = exporter_of(large(providers, methods))
    settle_memory()
    print(f"{providers} providers x {methods} methods")
    print(f"  loop at rest:        {(await quiet()).told()}")
    stalls, seconds, size = await scraped(exporter)
    print(f"  loop while scraped:  {stalls.told()}")
    longest = 1e3 * exporter.longest_slice_s
    began = thread_time()
    table = await exporter.read()
    spent = 1e3 * (thread_time() - began)
    print(f"  on the loop:         {spent:.1f} ms of CPU, in slices of {longest:.2f} ms at most")
    print(f"  in the thread:       {1e3 * longest_hold(table):.2f} ms of CPU at most without letting go")
    print(f"  a page:              {1e3 * seconds:.0f} ms, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    providers, methods = (int(given) for given in (sys.argv[1:3] or ("50", "60")))
    trio.run(main, providers, methods)
