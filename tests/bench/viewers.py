"""What open dashboards cost a node that serves calls: `nox -s bench -- viewers [--rate 1000] [--rounds 6]`.

The rows take turns in the same run, against one process: nobody looks; fifty dashboards that read; ten that stall.
Calls come at a fixed rate and count from when they were due (`open_loop`). CPU is the node's, of one core; what a row
costs is its difference to the row before it in the same round. The marks: fifty viewers cost at most 3 % of a core, and
neither they nor the stalled ones move the calls' p99 by more than the rounds without differ among themselves.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import attrs
import machine
from open_loop import OpenLoop, sharpen_timers
from targets import Stage, Target
from wire import CALL

HERE = Path(__file__).parent
WARM_S = 2.0
WINDOW_S = 10.0
MOST_PERCENT = 3.0
ROWS = {"nobody looks": (0, 0), "50 viewers": (50, 0), "10 stalled viewers": (0, 10)}
NUMBERS = count(1_000_000, 1_000_000)


@attrs.frozen
class Taken:
    """One window. `cpu_percent` of a core; milliseconds; `snapshots` a second that all viewers had together."""

    cpu_percent: float
    p50_ms: float
    p99_ms: float
    late: int
    snapshots: float


@attrs.define
class Figures:
    """`taken`: the windows of each row, in the order of the rounds."""

    taken: dict[str, list[Taken]] = attrs.field(factory=lambda: {name: [] for name in ROWS})

    def extra(self, name: str) -> list[float]:
        """Percent of a core above the window without viewers of the same round."""
        pairs = zip(self.taken[name], self.taken["nobody looks"], strict=True)
        return [with_.cpu_percent - without.cpu_percent for with_, without in pairs]

    @property
    def missed(self) -> list[str]:
        quiet = [each.p99_ms for each in self.taken["nobody looks"]]
        texts = []
        for name in list(ROWS)[1:]:
            cost = statistics.median(self.extra(name))
            if cost > MOST_PERCENT:
                texts.append(f"{name} cost {cost:.1f} % of a core, more than {MOST_PERCENT:.0f}")
            p99 = statistics.median(each.p99_ms for each in self.taken[name])
            if p99 > max(quiet):
                texts.append(f"{name}: p99 {p99:.2f} ms, without {min(quiet):.2f} to {max(quiet):.2f} ms")
        return texts


def table(figures: Figures) -> str:
    """Medians over the rounds, with their range where it matters."""
    lines = [
        "| | CPU, % of a core | above nobody | p50 ms | p99 ms (range) | snapshots/s |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, rows in figures.taken.items():
        cpu, p50, p99 = (statistics.median(getattr(r, f) for r in rows) for f in ("cpu_percent", "p50_ms", "p99_ms"))
        extra = figures.extra(name)
        above = f"{statistics.median(extra):.1f} ({min(extra):.1f} to {max(extra):.1f})" if any(extra) else ""
        span = f"{min(r.p99_ms for r in rows):.2f}-{max(r.p99_ms for r in rows):.2f}"
        seen = statistics.median(r.snapshots for r in rows)
        lines.append(f"| {name} | {cpu:.1f} | {above} | {p50:.2f} | {p99:.2f} ({span}) | {seen:.0f} |")
    return "\n".join(lines)


@contextmanager
def looking(target: Target, cores: machine.Cores, readers: int, stalled: int) -> Iterator[list[int]]:
    """Viewers while the block runs; gives a list that has, when it was left, how many snapshots they had."""
    had: list[int] = []
    port = target.base.split(":")[2].partition("/")[0]
    command = ["taskset", "-c", str(cores.load), sys.executable, HERE / "viewers_crowd.py", port, readers, stalled]
    process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield had
        process.stdin.close()
        had.append(int(process.stdout.readline()))
    finally:
        process.kill()
        process.wait()


def take(target: Target, cores: machine.Cores, rate: float, readers: int, stalled: int) -> Taken:
    url = f"{target.base}fastest/bench"
    with looking(target, cores, readers, stalled) as had:
        opened = time.perf_counter()
        OpenLoop(url, CALL, rate, next(NUMBERS)).run(0, WARM_S)
        spent, began = machine.cpu_seconds(target.pids), time.perf_counter()
        latencies = OpenLoop(url, CALL, rate, next(NUMBERS)).run(0, WINDOW_S)
        spent, took = machine.cpu_seconds(target.pids) - spent, time.perf_counter() - began
        open_s = time.perf_counter() - opened
    p50, p99 = 1e3 * latencies.at(0.5), 1e3 * latencies.at(0.99)
    return Taken(100 * spent / took, p50, p99, latencies.late, had[0] / open_s)


def main() -> None:
    parser = argparse.ArgumentParser(description="What open dashboards cost.")
    parser.add_argument("--rate", type=float, default=1000.0)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--providers", type=int, default=3)
    asked = parser.parse_args()
    cores, figures = machine.Cores.of_this_machine(), Figures()
    sharpen_timers()
    print(f"{machine.describe(cores)}; {asked.rate:.0f} calls/s, {asked.rounds} rounds of {WINDOW_S:.0f} s", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder), cores)
        try:
            stage.start_upstreams()
            target = stage.lasso("lasso", asked.providers)
            for number in range(asked.rounds):
                print(f"  round {number + 1}", file=sys.stderr, flush=True)
                for name, (readers, stalled) in ROWS.items():
                    figures.taken[name].append(take(target, cores, asked.rate, readers, stalled))
        finally:
            stage.close()
    print(table(figures))
    print("\n".join(f"MISSED: {text}" for text in figures.missed) or "marks met")


if __name__ == "__main__":
    main()
