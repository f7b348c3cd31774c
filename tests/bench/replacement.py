"""How soon a killed worker is replaced, with and without a standby: `python -m tests.bench.replacement [kills]`.

A real node of two workers over simulated providers, otherwise idle. Its workers are killed in turn, so that every
second one is that which keeps the probers and keepers. Milliseconds from the SIGKILL until the parent has a process in
its place (its log says so), until that is ready (likewise), and until a client *has* the first answer from it: clients
come one after the other, each with a connection of its own, a few milliseconds apart, and the log tells which worker
each came to. Clients, providers and node share the machine.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from lasso_trio.devnet import Chain, Devnet, Faults
from tests.e2e import lasso as proxies
from tests.e2e.anvil import CHAIN_ID
from tests.e2e.caller import Caller, WrongAnswer
from tests.e2e.lasso import Lasso
from tests.e2e.test_workers import events, processes

MOST_MS: Final = 1000.0
EVERY_S: Final = 0.005
PAUSE_S: Final = 3.0
"""A worker that took calls for two seconds is replaced without a delay."""
CALL: Final = b'{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x%040x","latest"]}'
COLUMNS: Final = ("a process is there", "it is ready", "it has answered a call")
_numbers: Final = count(1)


@attrs.define
class Clients:
    """`answered`: when each had its answer (seconds since 1970), by the id of its request."""

    lasso: Lasso
    answered: dict[str, float] = attrs.field(factory=dict)
    failed: int = 0

    async def come(self) -> None:
        while True:
            await self._one(f"replaced-{next(_numbers)}")
            await trio.sleep(EVERY_S)

    async def _one(self, name: str) -> None:
        try:
            caller = await Caller.connect(self.lasso.port, self.lasso.path("fastest"))
            try:
                await caller.call(CALL % next(_numbers), f"x-request-id: {name}\r\n".encode())
                self.answered[name] = now()
            finally:
                caller.close()
        except (OSError, WrongAnswer):  # the dead worker had accepted it
            self.failed += 1

    def first_at(self, worker: int) -> float | None:
        """The first answer by that worker."""
        served = [record["request_id"] for record in self.lasso.completed() if record["worker"] == worker]
        return min((self.answered[name] for name in served if name in self.answered), default=None)


async def one(lasso: Lasso, worker: int) -> tuple[float, ...]:
    """Kill it. Milliseconds, as `COLUMNS`."""
    clients = Clients(lasso)
    began = now()
    os.kill(processes(lasso)[worker], signal.SIGKILL)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(clients.come)
        await until(lambda: since(lasso, "worker.ready", worker, began) is not None)
        await until(lambda: clients.first_at(worker) is not None)
        nursery.cancel_scope.cancel()
    logged = [since(lasso, event, worker, began) for event in ("worker.started", "worker.ready")]
    return tuple(1000 * (at - began) for at in (*logged, clients.first_at(worker)) if at is not None)


def since(lasso: Lasso, event: str, worker: int, began: float) -> float | None:
    """When the log tells that of the worker for the first time after `began`."""
    times = [moment(record) for record in events(lasso, event) if record["worker"] == worker]
    return min((at for at in times if at >= began - 0.001), default=None)  # a log's times are whole milliseconds


def now() -> float:
    return dt.datetime.now(dt.UTC).timestamp()


def moment(record: dict[str, Any]) -> float:
    return dt.datetime.fromisoformat(record["timestamp"]).timestamp()


async def until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(60):
        while not holds():  # noqa: ASYNC110  (a log)
            await trio.sleep(0.05)


@asynccontextmanager
async def node(standby: str) -> AsyncIterator[Lasso]:
    async with Devnet.open({"a": Faults(), "b": Faults()}, chain=Chain(CHAIN_ID, 1.0, 1000)) as net:
        with tempfile.TemporaryDirectory() as folder:
            env, urls = {"LASSO_WORKERS": "2", "LASSO_STANDBY": standby}, {name: net.url(name) for name in ("a", "b")}
            running = proxies.running(Path(folder) / "lasso", urls, env=env, websockets=True)
            lasso = await trio.to_thread.run_sync(running.__enter__)
            try:
                yield lasso
            finally:
                with trio.CancelScope(shield=True):  # bounded by the patience of `stop`
                    await trio.to_thread.run_sync(running.__exit__, None, None, None)


async def measure(standby: str, kills: int) -> list[tuple[float, ...]]:
    figures = []
    async with node(standby) as lasso:
        for number in range(kills):
            standbys = number + 1 if standby == "on" else 0
            await until(lambda: len(events(lasso, "standby.waits")) == standbys)  # noqa: B023  (called here)
            await until(lambda: len(events(lasso, "worker.ready")) == 2 + number)  # noqa: B023
            await trio.sleep(PAUSE_S)
            figures.append(await one(lasso, number % 2))
    return figures


def row(standby: str, figures: Sequence[tuple[float, ...]]) -> str:
    columns = [sorted(column) for column in zip(*figures, strict=True)]
    cells = [f"{statistics.median(column):.0f} ({column[0]:.0f}-{column[-1]:.0f})" for column in columns]
    return f"| {standby} | {' | '.join(cells)} |"


def commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


async def main(kills: int) -> None:
    began, load = dt.datetime.now(dt.UTC), os.getloadavg()[0]
    figures = {standby: await measure(standby, kills) for standby in ("on", "off")}
    print(f"{began:%Y-%m-%d %H:%M} UTC, commit {commit()}, {os.cpu_count()} cores, load {load:.1f} before")
    print(f"ms after a worker was killed: median (range) of {kills}\n")
    print(f"| standby | {' | '.join(COLUMNS)} |\n|---|{'--:|' * len(COLUMNS)}")
    for standby, taken in figures.items():
        print(row(standby, taken))
    worst = max(taken[-1] for taken in figures["on"])
    print(f"\nWith a standby within {MOST_MS:.0f} ms: {'yes' if worst <= MOST_MS else 'NO'} ({worst:.0f} ms at most)")


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]) if sys.argv[1:] else 5)
