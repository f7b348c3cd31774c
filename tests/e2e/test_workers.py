"""A node of two processes, as its clients and its operator see it: one dies, one parent dies, it reloads, it ends."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from lasso_trio.devnet import Chain, Devnet, Faults, Latency
from lasso_trio.devnet.provider import Provider
from tests.e2e import lasso as proxies
from tests.e2e.anvil import CHAIN_ID
from tests.e2e.caller import Caller, WrongAnswer
from tests.e2e.conftest import Serve
from tests.e2e.lasso import CHAIN, Lasso

WORKERS = 2
CONNECTIONS = 32
IN_FLIGHT = 16
PATIENCE_S = 60.0
TOKEN = "an-operators-token"
ENV = {"LASSO_WORKERS": str(WORKERS), "LASSO_ADMIN_TOKEN": TOKEN}
BODY = b'{"jsonrpc":"2.0","id":%d,"method":"eth_getBalance","params":["0x%040x","latest"]}'


@attrs.define(eq=False)
class Load:
    """Calls on kept connections, one after the other on each. `failed`: connections by their number."""

    lasso: Lasso
    calls: int = 0
    failed: set[int] = attrs.field(factory=set)
    wrong: list[str] = attrs.field(factory=list)
    _ids: count[int] = attrs.field(factory=lambda: count(1))

    async def keep(self, number: int, caller: Caller) -> None:
        try:
            while True:
                await self.once(number, caller)
                await trio.sleep(0.01)
        except (OSError, WrongAnswer):
            self.failed.add(number)
        finally:
            caller.close()

    async def once(self, number: int, caller: Caller) -> None:
        id_ = next(self._ids)
        answer = await caller.call(BODY % (id_, id_), b"x-request-id: connection-%d\r\n" % number)
        self.calls += 1
        if answer.status != 200 or b'"result"' not in answer.body:
            self.wrong.append(answer.body[:200].decode())


def events(lasso: Lasso, event: str) -> list[dict[str, Any]]:
    """The log's lines of that kind, those that are whole."""
    lines = [line for line in lasso.log.splitlines() if line.startswith(b"{") and line.endswith(b"}")]
    return [record for record in map(json.loads, lines) if record["event"] == event]


def processes(lasso: Lasso) -> dict[int, int]:
    """The workers' newest processes by their number."""
    return {record["worker"]: record["pid"] for record in events(lasso, "worker.started")}


def serving(lasso: Lasso) -> set[int]:
    """Pids of the workers that took calls at some time."""
    started = events(lasso, "worker.started")
    ready = [record["worker"] for record in events(lasso, "worker.ready")]
    of = {worker: [record["pid"] for record in started if record["worker"] == worker] for worker in set(ready)}
    return {pid for worker, pids in of.items() for pid in pids[: ready.count(worker)]}


async def until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(PATIENCE_S):
        while not holds():  # noqa: ASYNC110  (a log, and other processes)
            await trio.sleep(0.05)


def is_running(pid: int) -> bool:
    """A process that has ended and that nobody has asked about yet does not run."""
    try:
        return re.search(r"\) (\w)", Path(f"/proc/{pid}/stat").read_text()).group(1) not in "ZX"  # type: ignore[union-attr]
    except OSError:
        return False


async def start(serve: Serve, url: str) -> Lasso:
    lasso = await trio.to_thread.run_sync(partial(serve, {"steady": url}, env=ENV))
    await until(lambda: any("workers" in record for record in events(lasso, "node.ready")))
    return lasso


async def whose(lasso: Lasso, connections: int) -> dict[int, int]:
    """Which worker each connection came to, as the log of its calls tells."""
    name, served = re.compile(r"connection-(\d+)"), dict[int, int]()

    def all_told() -> bool:
        for record in lasso.completed():
            if found := name.fullmatch(record["request_id"]):
                served[int(found[1])] = record["worker"]
        return len(served) == connections

    await until(all_told)
    return served


def order_reload(lasso: Lasso) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", lasso.port, timeout=30)
    connection.request("POST", "/admin/reload", headers={"authorization": f"Bearer {TOKEN}"})
    reply = connection.getresponse()
    try:
        return reply.status, json.load(reply)
    finally:
        connection.close()


@pytest.mark.timeout(120)
async def test_a_killed_worker_costs_its_own_connections_and_is_replaced(serve: Serve) -> None:
    async with Devnet.open({"steady": Faults()}, chain=Chain(CHAIN_ID, 1.0, 1000)) as net:
        lasso = await start(serve, net.url("steady"))
        load, path = Load(lasso), lasso.path("fastest")
        async with trio.open_nursery() as nursery:
            for number in range(CONNECTIONS):
                nursery.start_soon(load.keep, number, await Caller.connect(lasso.port, path))
            served = await whose(lasso, CONNECTIONS)
            assert set(served.values()) == {0, 1}
            victim, before = 0, processes(lasso)
            os.kill(before[victim], signal.SIGKILL)
            await until(lambda: processes(lasso)[victim] in serving(lasso) - {before[victim]})
            calls = load.calls
            await until(lambda: load.calls > calls + 200)
            assert load.failed == {number for number, worker in served.items() if worker == victim}
            for number in range(CONNECTIONS, 2 * CONNECTIONS):
                nursery.start_soon(load.keep, number, await Caller.connect(lasso.port, path))
            again = await whose(lasso, 2 * CONNECTIONS)
            assert {again[number] for number in range(CONNECTIONS, 2 * CONNECTIONS)} == {0, 1}
            nursery.cancel_scope.cancel()
        assert load.wrong == []
        (ended,) = events(lasso, "worker.ended")
        assert (ended["worker"], ended["signal"], ended["next_in_s"]) == (victim, "SIGKILL", 0)
        assert processes(lasso)[1 - victim] == before[1 - victim]
        await trio.to_thread.run_sync(lasso.stop)
        assert not any(map(is_running, processes(lasso).values()))


@pytest.mark.timeout(120)
async def test_a_reload_reaches_every_worker_and_the_answer_is_the_nodes(serve: Serve) -> None:
    async with Devnet.open({"steady": Faults()}, chain=Chain(CHAIN_ID, 1.0, 1000)) as net:
        lasso = await start(serve, net.url("steady"))
        file = lasso.folder / "profiles" / "public.yml"
        good = file.read_text()
        replace(file, good.replace("End to end", "Another name"))
        await until(lambda: {record["worker"] for record in events(lasso, "config.reloaded")} == {0, 1})
        status, told = await trio.to_thread.run_sync(order_reload, lasso)
        assert (status, told["accepted"]) == (200, True)
        await until(lambda: {record["worker"] for record in events(lasso, "config.unchanged")} == {0, 1})
        replace(file, good + "      - {id: broken}\n")
        await until(lambda: {record["worker"] for record in events(lasso, "config.rejected")} == {0, 1})
        status, told = await trio.to_thread.run_sync(order_reload, lasso)
        assert (status, told["accepted"]) == (422, False)
        assert "public.yml" in told["problems"][0]
        replace(file, good)
        os.kill(lasso.pid, signal.SIGHUP)
        await until(lambda: len(events(lasso, "config.reloaded")) == 2 * WORKERS)
        await trio.to_thread.run_sync(lasso.stop)


def replace(file: Path, text: str) -> None:
    """As editors do."""
    beside = file.with_suffix(".new")
    beside.write_text(text)
    beside.replace(file)


async def calls_in_flight(lasso: Lasso, provider: Provider, act: Callable[[], None]) -> list[bytes]:
    """Answers of calls that are under way at both workers, and with the provider, when `act` is done."""
    answers, before = list[bytes](), provider.calls["eth_getBalance"]

    async def call(number: int) -> None:
        caller = await Caller.connect(lasso.port, f"/rpc/{CHAIN}")
        answers.append((await caller.call(BODY % (number, number))).body)
        caller.close()

    async with trio.open_nursery() as nursery:
        for number in range(IN_FLIGHT):
            nursery.start_soon(call, number)
        await until(lambda: provider.calls["eth_getBalance"] >= before + IN_FLIGHT)
        act()
    return answers


SLOW = Faults(latency=Latency.constant(1500))


@pytest.mark.timeout(120)
async def test_sigterm_lets_calls_at_all_workers_finish_and_the_exit_code_is_0(serve: Serve) -> None:
    async with Devnet.open({"steady": Faults()}, chain=Chain(CHAIN_ID, 1.0, 1000)) as net:
        lasso = await start(serve, net.url("steady"))
        net.set_faults("steady", SLOW)
        answers = await calls_in_flight(lasso, net.providers["steady"], lambda: os.kill(lasso.pid, signal.SIGTERM))
        assert [answer for answer in answers if b'"result"' not in answer] == []
        await trio.to_thread.run_sync(lasso.stop)
        assert not any(map(is_running, processes(lasso).values()))
        assert {record["worker"] for record in lasso.completed()} == {0, 1}


@pytest.mark.timeout(120)
async def test_workers_whose_parent_was_killed_finish_their_calls_and_end(tmp_path: Path) -> None:
    async with Devnet.open({"steady": Faults()}, chain=Chain(CHAIN_ID, 1.0, 1000)) as net:
        node = proxies.running(tmp_path / "lasso", {"steady": net.url("steady")}, env=ENV)
        lasso = await trio.to_thread.run_sync(node.__enter__)
        await until(lambda: any("workers" in record for record in events(lasso, "node.ready")))
        net.set_faults("steady", SLOW)
        answers = await calls_in_flight(lasso, net.providers["steady"], lambda: os.kill(lasso.pid, signal.SIGKILL))
        assert [answer for answer in answers if b'"result"' not in answer] == []
        await until(lambda: not any(map(is_running, processes(lasso).values())))
        with pytest.raises(AssertionError, match="exit code -9"):
            await trio.to_thread.run_sync(node.__exit__, None, None, None)
    assert len(events(lasso, "bus.orphaned")) == WORKERS


@pytest.mark.timeout(60)
async def test_an_address_in_use_ends_the_node_at_once(tmp_path: Path) -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    async with listener:
        with pytest.raises(AssertionError, match=rf"it ended with 1:\s+lasso: cannot listen on 127.0.0.1, port {port}"):
            await trio.to_thread.run_sync(started_on, tmp_path / "lasso", port)


def started_on(folder: Path, port: int) -> None:
    with proxies.running(folder, {"nobody": "http://127.0.0.1:9"}, env=ENV | {"LASSO_OPS_PORT": str(port)}):
        raise AssertionError("it runs")
