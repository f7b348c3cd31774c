"""Fan-out: what one event to many subscribers costs, beside `websockets`' `broadcast()` and a bare loop.

    nox -s bench -- streams                        10 000 subscribers, 30 events
    nox -s bench -- streams --subscribers 2000 --events 10
    nox -s bench -- streams --only failover        how late a head is when a provider that feeds it dies (`failover`)
    nox -s bench -- streams --only flood           100 000 notifications a minute (`flood`)

The server is alone on its core, the subscribers share another, all on loopback: writing to a socket there includes
the kernel's work of delivering it. One server after the other: three crowds at once are more open files than most
systems allow. Exits 1 when something could not be measured, or when a mark was missed, and says which.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import failover
import flood
import machine
from fanout_clients import Crowd, TooSlow
from fanout_orders import payload

from lasso_trio import descriptors
from lasso_trio.subscriptions.fanout import notification
from lasso_trio.subscriptions.frames import text_frame

HERE = Path(__file__).parent
SERVERS = {
    "lasso": "fanout_lasso.py",
    "websockets broadcast()": "fanout_peer.py",
    "bare send() in a loop": "fanout_floor.py",
}
MOST_CPU_US = 12.0
MOST_LAST_MS = 250.0
MOST_RESIDENT_KIB = 32.0


@attrs.define(eq=False)
class Server:
    """One of them, in a process of its own on `core`."""

    process: subprocess.Popen[str]
    port: int
    crowd: Crowd

    @classmethod
    def start(cls, script: str, core: int) -> Server:
        command = ["taskset", "-c", str(core), sys.executable, str(HERE / script)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        port = int(process.stdout.readline())
        return cls(process, port, Crowd(port))

    def order(self, text: str) -> dict[str, Any]:
        self.say(text)
        return self.hear()

    def say(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        facts: dict[str, Any] = json.loads(self.process.stdout.readline())
        return facts

    def stop(self) -> None:
        self.crowd.leave()
        self.process.kill()
        self.process.wait()


@attrs.define
class Figures:
    resident_kib: float
    """Per idle subscriber."""
    cpu_us: list[float] = attrs.field(factory=list)
    """Per delivered message, one for each event."""
    last_ms: list[float] = attrs.field(factory=list)
    """From the event to its last delivery."""

    @property
    def missed(self) -> list[str]:
        found = {
            f"CPU per message: {statistics.median(self.cpu_us):.1f} > {MOST_CPU_US} µs": statistics.median(self.cpu_us)
            > MOST_CPU_US,
            f"last delivery: {max(self.last_ms):.0f} > {MOST_LAST_MS:.0f} ms": max(self.last_ms) > MOST_LAST_MS,
            f"resident: {self.resident_kib:.1f} > {MOST_RESIDENT_KIB} KiB": self.resident_kib > MOST_RESIDENT_KIB,
        }
        return [text for text, missed in found.items() if missed]


def fill(server: Server, subscribers: int) -> Figures:
    """Let them in; the first few are not counted: they pay for what everybody uses."""
    join(server, 50)
    before = server.order("settle")
    join(server, subscribers - 50)
    after = server.order("settle")
    return Figures((after["resident"] - before["resident"]) / (after["members"] - before["members"]))


def join(server: Server, count: int) -> None:
    server.say(f"join {count}")
    server.crowd.join(count)
    server.hear()


def publish(server: Server, number: int, figures: Figures) -> None:
    before = server.order("rest")
    server.say(f"publish {number}")
    last = server.crowd.collect(message_size(number))
    after = server.hear()
    after_all = server.order("rest")
    figures.cpu_us.append((after_all["cpu"] - before["cpu"]) / len(server.crowd) * 1e6)
    figures.last_ms.append((last - after["published"]) * 1e3)


def message_size(number: int) -> int:
    """Bytes of one event's frame: all servers write the same."""
    return len(text_frame(notification(f"0x{0:032x}", payload(number))))


def measure(subscribers: int, events: int) -> dict[str, Figures]:
    cores = machine.Cores.of_this_machine()
    os.sched_setaffinity(0, {cores.load})
    return {name: measure_one(script, cores.server, subscribers, events) for name, script in SERVERS.items()}


def measure_one(script: str, core: int, subscribers: int, events: int) -> Figures:
    server = Server.start(script, core)
    try:
        figures = fill(server, subscribers)
        for number in range(events):
            publish(server, number, figures)
        return figures
    finally:
        server.stop()


def table(found: dict[str, Figures]) -> str:
    lines = [
        "| | CPU per delivered message, median (best) | last delivery, median (worst) | resident per idle subscriber |",
        "|---|---|---|---|",
    ]
    for name, its in found.items():
        cpu = f"{statistics.median(its.cpu_us):.1f} ({min(its.cpu_us):.1f}) µs"
        last = f"{statistics.median(its.last_ms):.0f} ({max(its.last_ms):.0f}) ms"
        lines.append(f"| {name} | {cpu} | {last} | {its.resident_kib:.1f} KiB |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="nox -s bench -- streams", description="One event to many subscribers.")
    parser.add_argument("--subscribers", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=24, help="providers killed or muted")
    parser.add_argument("--only", choices=["fan-out", "failover", "flood"])
    options = parser.parse_args()
    missed: list[str] = []
    if options.only in (None, "failover"):
        missed += failover.main(options.rounds)
    if options.only in (None, "flood"):
        missed += flood.main(30.0)
    if options.only in (None, "fan-out"):
        missed += fan_out(options.subscribers, options.events)
    return verdict(missed)


def fan_out(subscribers: int, events: int) -> list[str]:
    """Print the figures; which marks are missed."""
    descriptors.raise_limit()
    try:
        found = measure(subscribers, events)
    except (TooSlow, OSError) as problem:
        return [f"the fan-out could not be measured: {problem}"]
    print(table(found))
    return found["lasso"].missed


def verdict(missed: list[str]) -> int:
    """The exit status."""
    for text in missed:
        print(f"mark missed: {text}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
