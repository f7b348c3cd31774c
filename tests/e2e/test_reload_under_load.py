"""Profiles are read again two hundred times, under a steady load and with fifty WebSocket clients: nobody notices.

From one to the next a provider comes or goes, priorities change, and some files are wrong and refused. The figures that
must not grow (tasks, file descriptors, resident memory) are taken after a first quarter of the reloads, and at the end.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import attrs
import pytest
import trio
from trio_websocket import WebSocketConnection, open_websocket_url

from lasso_trio.devnet import Chain, Devnet, Faults, Latency
from tests.e2e import lasso as proxies
from tests.e2e.anvil import CHAIN_ID
from tests.e2e.caller import Caller
from tests.e2e.conftest import Serve
from tests.e2e.lasso import CHAIN, Lasso

RELOADS = 200
RATE = 500
SOCKETS = 50
CONNECTIONS = 25
LOOKS = 20
TAKEN_S = 60.0
BODY = b'{"jsonrpc":"2.0","id":%d,"method":"eth_getBalance","params":["0x%040x","latest"]}'
Say = Callable[[str], None]


@attrs.define(eq=False)
class Trial:
    """What went on, and what went wrong, in words."""

    lasso: Lasso
    calls: int = 0
    heads: int = 0
    wrong: list[str] = attrs.field(factory=list)
    ids: count[int] = attrs.field(factory=lambda: count(1))

    async def load(self, caller: Caller) -> None:
        """One of the connections that together make the rate."""
        pause, due = CONNECTIONS / RATE, trio.current_time()
        try:
            while True:
                due += pause
                await trio.sleep_until(due)
                id_ = next(self.ids)
                answer = await caller.call(BODY % (id_, id_))
                self.calls += 1
                if answer.status != 200 or b'"result"' not in answer.body:
                    self.wrong.append(answer.body[:200].decode())
        finally:
            caller.close()

    async def listen(self, socket: WebSocketConnection) -> None:
        """One WebSocket client: it subscribes to heads, and asks now and then."""
        await socket.send_message('{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}')
        last = -1
        while True:
            told: Any = json.loads(await socket.get_message())
            if told.get("method") == "eth_subscription":
                height = int(told["params"]["result"]["number"], 16)
                self.heads += 1
                if last >= 0 and height != last + 1:
                    self.wrong.append(f"head {height} after {last}")
                last = height
                await socket.send_message('{"jsonrpc":"2.0","id":2,"method":"eth_blockNumber","params":[]}')
            elif "result" not in told:
                self.wrong.append(str(told)[:200])

    def figures(self) -> tuple[int, int, float]:
        """Tasks, file descriptors, MiB: the least of some looks, for calls under way have both, and on a busy machine
        there are many.
        """
        looks = [self._look() for _ in range(LOOKS)]
        return min(look[0] for look in looks), min(look[1] for look in looks), self.lasso.resident_mib()

    def _look(self) -> tuple[int, int]:
        status, told = self.lasso.get(f"/api/metrics/{CHAIN}")
        assert status == 200
        time.sleep(0.1)
        return told["system_metrics"]["process_count"], len(os.listdir(f"/proc/{self.lasso.pid}/fd"))


def profile(net: Devnet, round_: int) -> str:
    """The round's file. Every tenth is wrong."""
    names = ["steady", "second", *(["third"] if round_ % 2 else [])]
    head = proxies.PROFILE.format(rps=10**6, burst=10**6, chain=CHAIN, chain_id=CHAIN_ID, settings="")
    listed = [
        f"      - {{id: {name}, url: '{net.url(name)}', ws_url: '{net.ws_url(name)}', priority: {rank + round_ % 3}}}\n"
        for rank, name in enumerate(names)
    ]
    return head + "".join(listed) + ("      - {id: broken}\n" if is_wrong(round_) else "")


@attrs.define(eq=False)
class Reloads:
    """Rounds of one running node. Each differs from the one before, so none of them is `config.unchanged`. `done` and
    `refused`: what the log says of them; a file that is wrong may be refused twice, once for each way of being told.
    """

    lasso: Lasso
    net: Devnet
    done: int = 0
    refused: int = 0
    _read: int = 0

    async def do(self, round_: int) -> None:
        """Exchange the file as editors do, and say so; the watch on the directory may be quicker. Returns when it was
        taken up.
        """
        file = self.lasso.folder / "profiles" / "public.yml"
        beside, before = file.with_suffix(".new"), self._count()
        beside.write_text(profile(self.net, round_))
        beside.replace(file)
        os.kill(self.lasso.pid, signal.SIGHUP)
        await trio.sleep(0.15)
        wrong = is_wrong(round_)
        with trio.fail_after(TAKEN_S):
            while self._count()[wrong] <= before[wrong]:  # noqa: ASYNC110 (another process)
                await trio.sleep(0.02)

    def _count(self) -> tuple[int, int]:
        """All so far; only whole lines are read, and each once."""
        with (self.lasso.folder / "lasso.log").open("rb") as log:
            log.seek(self._read)
            lines = log.read().rpartition(b"\n")[0]
        self._read += len(lines)
        self.done += lines.count(b'"config.reloaded"')
        self.refused += lines.count(b'"config.rejected"')
        return self.done, self.refused


def is_wrong(round_: int) -> bool:
    return round_ % 10 == 9


@pytest.mark.timeout(300)
async def test_two_hundred_reloads_cost_no_call_no_head_and_no_memory(serve: Serve, say: Say) -> None:
    faults = {name: Faults(latency=Latency.constant(5)) for name in ("steady", "second", "third")}
    async with Devnet.open(faults, chain=Chain(CHAIN_ID, 1.0, 1000)) as net, trio.open_nursery() as nursery:
        providers = {"steady": net.url("steady")}
        lasso = await trio.to_thread.run_sync(lambda: serve(providers))
        reloads, trial = Reloads(lasso, net), Trial(lasso)
        await reloads.do(RELOADS)
        await trio.sleep(2)
        for _ in range(CONNECTIONS):
            nursery.start_soon(trial.load, await Caller.connect(lasso.port, lasso.path("fastest")))
        for _ in range(SOCKETS):
            url = f"ws://127.0.0.1:{lasso.port}/ws/rpc/{CHAIN}"
            nursery.start_soon(trial.listen, await nursery.start(_socket, url))
        for round_ in range(RELOADS // 4):
            await reloads.do(round_)
        before = await trio.to_thread.run_sync(trial.figures)
        for round_ in range(RELOADS // 4, RELOADS):
            await reloads.do(round_)
        after = await trio.to_thread.run_sync(trial.figures)
        nursery.cancel_scope.cancel()
    said = f"{reloads.done} reloads, {reloads.refused} refused, {trial.calls} calls, {trial.heads} heads"
    say(f"{said}; {before} → {after}")
    assert trial.wrong == []
    assert reloads.done + reloads.refused >= RELOADS
    assert trial.calls > RELOADS * 10  # so there was a load in each of them; how much is the machine's
    assert trial.heads > SOCKETS * 20
    assert after[0] <= before[0] + 20
    assert after[1] <= before[1] + 20
    assert after[2] <= before[2] * 1.10 + 4


async def _socket(url: str, *, task_status: trio.TaskStatus[WebSocketConnection]) -> None:
    async with open_websocket_url(url) as socket:
        task_status.started(socket)
        await trio.sleep_forever()
