"""What Redis costs calls while it is there and while it is not: `nox -s bench -- redis`, a minute.

A real node that shares its kept answers over a real redis-server. Clients ask for what nobody has kept yet, so every
call looks it up: at a fixed pace, a latency being counted from when the call was due. Windows in turn:

    well │ stopped │ well │ killed │ well │ stopped │ well │ killed │ well

Redis is stopped (SIGSTOP) or killed (SIGKILL) when a window has begun, so what the first calls wait is in it; before
the next one it is back, and the node says so. What a window takes more is its p99 less the mean of the well ones at its
sides. Noise is twice what a well window's p99 is usually (the median) away from their median, but at least `LEAST_MS`.
The exit code is 1 when more than that was taken (the median of a kind's windows), a call failed, or Redis was too slow
to be asked while it was well: then there is nothing to compare with. All share the machine.
"""

from __future__ import annotations

import datetime as dt
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Final

import attrs
import httpx
import trio

from lasso_trio.devnet import Chain, Devnet, Faults
from tests.e2e import lasso as proxies
from tests.e2e import redis_server
from tests.e2e.anvil import CHAIN_ID
from tests.e2e.caller import Caller
from tests.e2e.lasso import Lasso
from tests.e2e.redis_server import RedisServer

WELL: Final = "well"
ORDER: Final = (WELL, "stopped", WELL, "killed", WELL, "stopped", WELL, "killed", WELL)
WINDOW_S: Final = 3.5
RATE: Final = 200
CLIENTS: Final = 8
LEAST_MS: Final = 1.0
TRIES: Final = 3
BACK_S: Final = 30.0
CALL: Final = b'{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x%040x","0x1"]}'
_numbers: Final = count(1)


@attrs.frozen
class Window:
    """`state` of Redis, latencies in ms, and the look-ups on it that were answered."""

    state: str
    took_ms: Sequence[float]
    looked_up: int
    failed: int = 0

    def quantile(self, part: float) -> float:
        return sorted(self.took_ms)[min(len(self.took_ms) - 1, int(len(self.took_ms) * part))]

    @property
    def used(self) -> bool:
        """Most calls found Redis in time."""
        return 2 * self.looked_up > len(self.took_ms)

    @property
    def p99(self) -> float:
        return self.quantile(0.99)


def extra_ms(windows: Sequence[Window], number: int) -> float:
    """More than the well windows at its sides."""
    return windows[number].p99 - (windows[number - 1].p99 + windows[number + 1].p99) / 2


def noise_ms(windows: Sequence[Window]) -> float:
    well = [window.p99 for window in windows if window.state == WELL]
    usual = statistics.median(well)
    return max(LEAST_MS, 2 * statistics.median(abs(p99 - usual) for p99 in well))


def extras(windows: Sequence[Window]) -> dict[str, float]:
    """The median of each kind of window that is not well."""
    away: dict[str, list[float]] = {}
    for number, window in enumerate(windows):
        if window.state != WELL:
            away.setdefault(window.state, []).append(extra_ms(windows, number))
    return {state: statistics.median(values) for state, values in away.items()}


def holds(windows: Sequence[Window]) -> bool:
    """Redis was asked while it was well, no call failed, and nothing was taken that can be told from noise."""
    most, failed = noise_ms(windows), any(window.failed for window in windows)
    used = all(window.used for window in windows if window.state == WELL)
    return used and not failed and all(extra <= most for extra in extras(windows).values())


@attrs.define(eq=False)
class Load:
    """Calls of one window: each client asks when its next call is due, or as soon as it has the answer before."""

    callers: Sequence[Caller]
    took_ms: list[float] = attrs.field(factory=list)
    failed: int = 0

    async def run(self) -> None:
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number, caller in enumerate(self.callers):
                nursery.start_soon(self._one, caller, began + number / RATE, began + WINDOW_S)

    async def _one(self, caller: Caller, due: float, end: float) -> None:
        while due < end:
            await trio.sleep_until(due)
            answer = await caller.call(CALL % next(_numbers))
            self.took_ms.append((trio.current_time() - due) * 1e3)
            self.failed += b'"result"' not in answer.body
            due += len(self.callers) / RATE


@attrs.frozen(eq=False)
class Stage:
    lasso: Lasso
    redis: RedisServer
    client: httpx.AsyncClient

    async def window(self, state: str) -> Window:
        """Redis goes when it has begun, and is back, for the node too, when this returns."""
        act: dict[str, Callable[[], None]] = {"stopped": self.redis.pause, "killed": self.redis.kill}
        callers = [await Caller.connect(self.lasso.port, self.lasso.path("fastest")) for _ in range(CLIENTS)]
        load, before = Load(callers), await self._looked_up()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(load.run)
            if state in act:
                await trio.sleep(0.1)
                await trio.to_thread.run_sync(act[state])
        for caller in callers:
            caller.close()
        window = Window(state, load.took_ms, await self._looked_up() - before, load.failed)
        await self._back(state)
        return window

    async def _back(self, state: str) -> None:
        if state != WELL:
            await trio.to_thread.run_sync(self.redis.start if state == "killed" else self.redis.go_on)
        with trio.fail_after(BACK_S):
            while not await self._up():  # noqa: ASYNC110  (another process)
                await trio.sleep(0.2)

    async def _up(self) -> bool:
        """The other lanes are tried when they have something to tell."""
        told = (await self.client.get(f"http://127.0.0.1:{self.lasso.port}/api/health")).json()["shared"]
        return bool(told["lanes"]["cache_read"]["state"] == "up")

    async def _looked_up(self) -> int:
        text = (await self.client.get(f"http://127.0.0.1:{self.lasso.port}/metrics")).text
        lines = (line for line in text.splitlines() if line.startswith("lasso_shared_cache_lookups_total"))
        return int(sum(float(line.split()[-1]) for line in lines))


@asynccontextmanager
async def staged(folder: Path) -> AsyncIterator[Stage]:
    with redis_server.running(folder) as redis, ExitStack() as stack:
        async with Devnet.open({"steady": Faults()}, chain=Chain(CHAIN_ID, 1.0, 200)) as net:
            env = {"LASSO_REDIS_URL": redis.url, "SECRET_KEY_BASE": "s" * 64, "LASSO_LOG_SAMPLE_RATE": "0"}
            urls, profile = {"steady": net.url("steady")}, {"cache": {"enabled": True}}
            running = proxies.running(folder / "lasso", urls, env=env, profile=profile)
            lasso = await trio.to_thread.run_sync(stack.enter_context, running)
            try:
                async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
                    yield Stage(lasso, redis, client)
            finally:
                with trio.CancelScope(shield=True):  # bounded by the patience of `stop`
                    await trio.to_thread.run_sync(stack.close)


async def measured() -> list[Window]:
    with tempfile.TemporaryDirectory() as folder:
        async with staged(Path(folder)) as stage:
            await stage.window(WELL)  # connects, first calls, the era of the chain
            return [await usable(stage, state) for state in ORDER]


async def usable(stage: Stage, state: str) -> Window:
    """Well ones are tried again when Redis was not asked, which happens on a busy machine."""
    window = await stage.window(state)
    for _ in range(TRIES - 1):
        if window.used or state != WELL:
            break
        window = await stage.window(state)
    return window


def rows(windows: Sequence[Window]) -> list[str]:
    made = ["| Redis | calls | looked up | p50 ms | p99 ms | more than beside |", "|---|--:|--:|--:|--:|--:|"]
    for number, window in enumerate(windows):
        more = "" if window.state == WELL else f"{extra_ms(windows, number):+.1f}"
        cells = (
            window.state,
            len(window.took_ms),
            window.looked_up,
            f"{window.quantile(0.5):.1f}",
            f"{window.p99:.1f}",
        )
        made.append(f"| {' | '.join(str(cell) for cell in cells)} | {more} |")
    return made


def commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def main() -> int:
    began, load = dt.datetime.now(dt.UTC), os.getloadavg()[0]
    windows = trio.run(measured)
    print(f"{began:%Y-%m-%d %H:%M} UTC, commit {commit()}, {os.cpu_count()} cores, load {load:.1f} before")
    print(f"{RATE} calls a second for {WINDOW_S:g} s each, latency from when a call was due\n")
    print("\n".join(rows(windows)))
    taken = ", ".join(f"{extra:+.1f} ms while it is {state}" for state, extra in extras(windows).items())
    print(f"\np99: {taken}; noise is {noise_ms(windows):.1f} ms. Calls that failed: {sum(w.failed for w in windows)}")
    print(f"Unchanged within noise: {'yes' if holds(windows) else 'NO'}")
    return 0 if holds(windows) else 1


if __name__ == "__main__":
    sys.exit(main())
