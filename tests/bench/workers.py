"""One worker and two: CPU per call, how calls are split, calls per second: `nox -s bench -- workers [seconds]`.

Two workers are measured twice: on the one core that a single worker has, where the kernel changes between them, and on
a core each. On a machine of two cores the second of these is the load's as well: then the CPU per call is what
counts, and the throughput is what the load leaves. That is said.

Each worker has as many connections as the single one. The repetitions alternate, so that what else the machine does
meets all alike.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import attrs
from closed_loop import ClosedLoop, Window
from machine import Cores, cpu_seconds, describe, process_tree, resident_mib
from targets import Stage, Target
from wire import CALL

CLIENTS = 32
"""For each worker."""
REPETITIONS = 3
WARM_S = 1.0
READY_S = 20.0
PATH = "fastest/bench"


@attrs.define
class Taken:
    """Of one node in one arrangement. `shares`: of each window, what part of the workers' CPU each worker used, the
    largest first.
    """

    label: str
    workers: int
    windows: list[Window] = attrs.field(factory=list)
    shares: list[list[float]] = attrs.field(factory=list)
    mib: float = 0.0

    @property
    def us(self) -> float:
        return statistics.median(window.us_per_call for window in self.windows)

    @property
    def per_second(self) -> float:
        return statistics.median(window.calls / window.wall_s for window in self.windows)

    def row(self) -> str:
        low, high = (pick(window.us_per_call for window in self.windows) for pick in (min, max))
        split = " / ".join(f"{100 * statistics.median(part):.0f}" for part in zip(*self.shares, strict=True))
        return (
            f"| {self.label} | {self.us:.1f} | {low:.1f}-{high:.1f} | {self.per_second:.0f} | {split} % "
            f"| {self.mib:.0f} |"
        )


def until_ready(stage: Stage, target: Target, workers: int) -> Target:
    """With all of its processes. A node of one worker is ready when it answers."""
    log, end = stage.folder / f"{target.name.replace(' ', '-')}.log", time.monotonic() + READY_S
    while workers > 1 and log.read_bytes().count(b"worker.ready") < workers:
        assert time.monotonic() < end, log.read_text()[-2000:]
        time.sleep(0.1)
    return attrs.evolve(target, pids=process_tree(target.pids[0]))


def measure(target: Target, taken: Taken, first: int, seconds: float) -> int:
    """Adds a window; returns the next free number of a call."""
    serving = target.pids if taken.workers == 1 else target.pids[1:]
    loop, before = (
        ClosedLoop(target.base + PATH, CALL, first, CLIENTS * taken.workers),
        [cpu_seconds([pid]) for pid in serving],
    )
    taken.windows.append(loop.run(lambda: cpu_seconds(target.pids), WARM_S, seconds))
    used = [cpu_seconds([pid]) - was for pid, was in zip(serving, before, strict=True)]
    taken.shares.append(sorted((each / sum(used) for each in used), reverse=True))
    taken.mib = resident_mib(target.pids)
    return loop.number


def pinned(target: Target, cores: Sequence[int]) -> None:
    """Workers to `cores`, one after the other; their parent stays where it is."""
    for number, pid in enumerate(target.pids[1:]):
        os.sched_setaffinity(pid, {cores[number % len(cores)]})


def say(one: Taken, together: Taken, apart: Taken, shared: bool) -> None:
    print("| | CPU µs per call | range | calls/s | split of the work | RSS MiB |")
    print("|---|--:|---|--:|--:|--:|")
    for taken in (one, together, apart):
        print(taken.row())
    more = apart.us / one.us
    print(f"\nCPU per call of two workers on a core each: {more:.2f} × that of one, their parent's included.")
    print(f"Throughput: {apart.per_second / one.per_second:.2f} × that of one.")
    if shared:
        print(
            "The load had no core of its own then: of two whole cores two workers would make "
            f"{2 / more:.2f} × the calls of one (computed from CPU per call, not measured)."
        )


def main(arguments: Sequence[str]) -> None:
    seconds, cores = float(arguments[0]) if arguments else 6.0, Cores.of_this_machine()
    print(describe(cores))
    free = sorted(os.sched_getaffinity(0) - {cores.load})
    shared = len(free) < 2
    one, together, apart = Taken("1", 1), Taken("2, on its core", 2), Taken("2, on a core each", 2)
    with tempfile.TemporaryDirectory() as folder:
        stage, first = Stage(Path(folder), cores), 1
        try:
            stage.start_upstreams()
            single, double = (until_ready(stage, stage.lasso(f"{n} workers", workers=n), n) for n in (1, 2))
            for _ in range(REPETITIONS):
                first = measure(single, one, first, seconds)
                pinned(double, [cores.server])
                first = measure(double, together, first, seconds)
                pinned(double, [cores.server, cores.load] if shared else free)
                first = measure(double, apart, first, seconds)
        finally:
            stage.close()
    say(one, together, apart, shared)


if __name__ == "__main__":
    main(sys.argv[1:])
