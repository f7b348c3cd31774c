"""The benchmark: us, nginx, the plain stack and the floor, side by side in one run on pinned cores.

    nox -s bench                        everything, about five minutes
    nox -s bench -- quick               the main rows, under a minute
    nox -s bench -- --only lasso        targets whose name starts so (and what they are compared with stays out)
    nox -s bench -- --json FILE --docs  also as JSON; also into docs/performance.md

All on loopback. Repetitions are interleaved (every row once, then every row again), so a neighbour's noise hits all
rows alike; figures are medians. Exits 1 when a target could not be measured.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import machine
import report
import scenarios
from closed_loop import ClosedLoop
from figures import Run, straight_label
from open_loop import OpenLoop, sharpen_timers
from scenarios import Plan, Row
from targets import NotStarted, Stage, Target
from wire import BATCH, BIG, CALL, Workload, WrongAnswer

STEP = 1_000_000  # each window's calls get numbers of their own


class Bench:
    """One run: the stage, the targets that came up, the measurements so far."""

    def __init__(self, plan: Plan, stage: Stage) -> None:
        self.plan = plan
        self.stage = stage
        self.targets: dict[str, Target] = {}
        self.run = Run(plan.rows, machine.describe(stage.cores))
        self.numbers = itertools.count(STEP, STEP)

    def measure(self) -> Run:
        self.start_targets()
        for repetition in range(self.plan.cpu_reps):
            progress(f"CPU, repetition {repetition + 1} of {self.plan.cpu_reps}")
            for row in self.measurable():
                self.guarded(row, self.take_cpu)
        for repetition in range(self.plan.latency_reps):
            progress(f"latency, repetition {repetition + 1} of {self.plan.latency_reps}")
            self.take_straight()
            for row in self.measurable():
                if row.label in self.plan.latency_rows:
                    self.guarded(row, self.take_latency)
        return self.run

    def start_targets(self) -> None:
        progress("starting upstreams and targets")
        self.stage.start_upstreams()
        for name in dict.fromkeys(row.target for row in self.plan.rows):
            try:
                self.targets[name] = scenarios.STARTERS[name](self.stage)
            except NotStarted as problem:
                self.run.missing[name] = f"did not start: {problem}"
                progress(f"{name} did not start: {problem}")

    def measurable(self) -> Iterator[Row]:
        return (row for row in self.plan.rows if row.target in self.targets and row.label not in self.run.missing)

    def guarded(self, row: Row, take: Callable[[Row], None]) -> None:
        """A target that answers wrongly loses its row, not the run."""
        try:
            take(row)
        except (WrongAnswer, OSError) as problem:
            self.run.missing[row.label] = f"{type(problem).__name__}: {problem}"
            progress(f"{row.label}: {problem}")

    def take_cpu(self, row: Row) -> None:
        target, plan = self.targets[row.target], self.plan
        arrived = self.stage.counted()
        loop = ClosedLoop(target.base + row.path, row.workload, next(self.numbers))
        window = loop.run(lambda: machine.cpu_seconds(target.pids), plan.warm_s, plan.cpu_s)
        sent = self.stage.counted() - arrived
        self.run.windows.setdefault(row.label, []).append(window)
        self.run.upstream.setdefault(row.label, []).append(sent / (loop.asked * row.workload.items))
        self.run.resident[row.label] = machine.resident_mib(target.pids)

    def take_latency(self, row: Row) -> None:
        self.take_rates(row.label, self.targets[row.target].base + row.path, row.workload)

    def take_straight(self) -> None:
        measured = [row.workload for row in self.measurable() if row.label in self.plan.latency_rows]
        for workload in (CALL, BATCH, BIG):
            if workload in measured:
                self.take_rates(straight_label(workload.name), f"http://127.0.0.1:{self.stage.plain_port}/", workload)

    def take_rates(self, label: str, url: str, workload: Workload) -> None:
        for rate in scenarios.RATES[workload.name]:
            taken = OpenLoop(url, workload, rate, next(self.numbers)).run(self.plan.warm_s, self.plan.latency_s)
            self.run.latencies.setdefault((label, rate), []).append(taken)


def progress(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def steady(cores: machine.Cores) -> Iterator[None]:
    """This process is the generator: its core, sharp timers, no collector pauses."""
    os.sched_setaffinity(0, {cores.load})
    sharpen_timers()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="nox -s bench --", description="CPU per call and added latency, side by side."
    )
    parser.add_argument("size", nargs="?", choices=("full", "quick"), default="full")
    parser.add_argument("--only", help="targets whose name starts with this")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure as JSON")
    parser.add_argument("--docs", action="store_true", help="also refresh the tables in docs/performance.md")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    plan = scenarios.quick() if options.size == "quick" else scenarios.full()
    if options.only:
        plan = scenarios.only(plan, options.only)
    cores = machine.Cores.of_this_machine()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lasso-bench-") as folder:
        stage = Stage(Path(folder), cores)
        try:
            with steady(cores):
                run = Bench(plan, stage).measure()
        finally:
            stage.close()
    print(report.markdown(run))
    if options.json:
        options.json.write_text(report.as_json(run), encoding="utf-8")
    if options.docs:
        report.refresh(machine.ROOT / "docs" / "performance.md", run)
    progress(f"done in {time.monotonic() - began:.0f} s")
    return 1 if run.missing else 0


if __name__ == "__main__":
    sys.exit(main())
