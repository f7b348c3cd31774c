"""Failover of streams: how late a head is when a provider that feeds it dies. Part of `nox -s bench -- streams`.

Three simulated providers tell of the same blocks; each is also listened to directly. Every few blocks one of them loses
its sockets and refuses new ones, or falls silent with its socket open, and comes back later. A head's delay is the time
from its first arrival at a direct listener of a living provider to its arrival at a client of the proxy, on one clock.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import attrs
import trio
from trio_websocket import ConnectionClosed, HandshakeError, open_websocket_url

from lasso_trio.devnet import Chain, Devnet, Faults

NAMES: Final = ("a", "b", "c")
BLOCK_S: Final = 0.5
MOST_DELAY_MS: Final = 50.0
ASK: Final = '{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'
PROFILE: Final = """
slug: public
chains:
  bench:
    chain_id: 31337
    providers:
"""


@attrs.define(eq=False)
class Failover:
    """`told[number]`: when each direct listener, and the client, heard of a block. `dead`: who may not count."""

    told: dict[int, dict[str, float]] = attrs.field(factory=dict)
    dead: dict[int, set[str]] = attrs.field(factory=dict)
    down: set[str] = attrs.field(factory=set)
    kills: int = 0
    gaps: int = 0

    async def listen(self, who: str, url: str) -> None:
        """Directly to a provider, again and again: it dies now and then."""
        while True:
            try:
                async with open_websocket_url(url) as socket:
                    await socket.send_message(ASK)
                    while True:
                        self.hear(who, json.loads(await socket.get_message()))
            except (ConnectionClosed, HandshakeError, OSError):
                await trio.sleep(0.05)

    def hear(self, who: str, message: dict[str, Any]) -> None:
        now = perf_counter()
        if message.get("method") == "lasso_gap":
            self.gaps += 1
        elif message.get("method") == "eth_subscription":
            number = int(message["params"]["result"]["number"], 16)
            self.told.setdefault(number, {}).setdefault(who, now)
            self.dead.setdefault(number, set()).update(self.down)

    async def kill(self, net: Devnet, rounds: int) -> None:
        """One after the other, by turns with a closed and with a silent socket."""
        for turn in range(rounds):
            name = NAMES[turn % len(NAMES)]
            self.down.add(name)
            self.kills += 1
            if turn % 2:
                net.providers[name].set_faults(Faults(ws_mute=True))
            else:
                net.providers[name].set_faults(Faults(ws_refuse_status=503))
                net.providers[name].drop_websockets()
            await trio.sleep(3 * BLOCK_S)
            net.providers[name].set_faults(Faults())
            await trio.sleep(2 * BLOCK_S)
            self.down.discard(name)
            await trio.sleep(BLOCK_S)

    def delays_ms(self) -> list[float]:
        """Of every head that the client and somebody living heard of."""
        found = []
        for number, heard in self.told.items():
            first = min(
                (at for who, at in heard.items() if who in NAMES and who not in self.dead[number]), default=None
            )
            if first is not None and "client" in heard:
                found.append((heard["client"] - first) * 1e3)
        return found

    def missing(self) -> list[int]:
        """Heads between the client's first and last that it never got."""
        mine = [number for number, heard in self.told.items() if "client" in heard]
        return [number for number in range(min(mine), max(mine)) if "client" not in self.told.get(number, {})]


async def measure(rounds: int) -> Failover:
    trial = Failover()
    chain = Chain(31337, BLOCK_S, 1000)
    async with Devnet.open({name: Faults() for name in NAMES}, chain=chain) as net, trio.open_nursery() as nursery:
        with tempfile.TemporaryDirectory() as folder:
            lines = [f"      - {{id: {n}, url: '{net.url(n)}', ws_url: '{net.ws_url(n)}'}}\n" for n in NAMES]
            process, port = await trio.to_thread.run_sync(start_lasso, Path(folder), "".join(lines))
            try:
                for name in NAMES:
                    nursery.start_soon(trial.listen, name, net.ws_url(name))
                await trio.sleep(3)
                nursery.start_soon(trial.listen, "client", f"ws://127.0.0.1:{port}/ws/rpc/bench")
                await trio.sleep(3)
                await trial.kill(net, rounds)
                await trio.sleep(2)
            finally:
                process.kill()
                process.wait()
        nursery.cancel_scope.cancel()
    return trial


def start_lasso(
    folder: Path, providers: str, profile: str = PROFILE, env: Mapping[str, str] | None = None
) -> tuple[subprocess.Popen[bytes], int]:
    """A node over `providers`, lines of YAML behind `profile`; the process and its port. Raises OSError."""
    (folder / "profiles").mkdir()
    (folder / "profiles" / "public.yml").write_text(profile + providers)
    command = [sys.executable, "-m", "lasso_trio", "serve", "--port", "0", "--profiles", str(folder / "profiles")]
    environ = {**os.environ, "LASSO_LOG_FORMAT": "json", **(env or {})}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ)
    assert process.stdout is not None
    for line in process.stdout:
        if b'"node.ready"' in line:
            address: str = json.loads(line)["addresses"][0]
            return process, int(address.rsplit(":", 1)[1])
    raise OSError("the proxy did not start")


def told(trial: Failover) -> str:
    delays = sorted(trial.delays_ms())
    return (
        f"failover: {trial.kills} providers killed or muted, {len(delays)} heads: delay median "
        f"{statistics.median(delays):.1f} ms, worst {delays[-1]:.1f} ms (mark {MOST_DELAY_MS:.0f}); "
        f"{len(trial.missing())} missing, {trial.gaps} gaps told"
    )


def main(rounds: int) -> list[str]:
    """Print the figures; which marks are missed."""
    trial = trio.run(measure, rounds)
    print(told(trial))
    missed = []
    if max(trial.delays_ms()) > MOST_DELAY_MS:
        missed.append(f"a head was {max(trial.delays_ms()):.0f} > {MOST_DELAY_MS:.0f} ms late")
    if trial.missing():
        missed.append(f"heads that never came: {trial.missing()}")
    return missed


if __name__ == "__main__":
    for text in main(int(sys.argv[1]) if len(sys.argv) > 1 else 24):
        print(f"mark missed: {text}")
