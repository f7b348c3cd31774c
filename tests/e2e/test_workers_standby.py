"""A node of two workers and the process that waits to replace one: it does, it dies, it ends with the node."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest
import trio

from lasso_trio.devnet import Chain, Devnet, Faults
from tests.e2e import lasso as proxies
from tests.e2e.anvil import CHAIN_ID
from tests.e2e.conftest import Serve
from tests.e2e.lasso import Lasso
from tests.e2e.test_workers import BODY, ENV, events, is_running, processes, serving, until

pytestmark = pytest.mark.timeout(120)

OTHER = """
name: Another
slug: another
chains:
  anvil:
    chain_id: {chain_id}
    providers:
      - {{id: steady, url: "{url}"}}
"""


def waiting(lasso: Lasso) -> list[int]:
    """Process ids of the standbys so far, as they were ready to be taken."""
    return [record["pid"] for record in events(lasso, "standby.waits")]


async def start(serve: Serve, url: str) -> Lasso:
    """With a standby that waits."""
    lasso = await trio.to_thread.run_sync(partial(serve, {"steady": url}, env=ENV))
    await until(lambda: len(waiting(lasso)) == 1)
    return lasso


async def replaced(lasso: Lasso, worker: int, signal_: int = signal.SIGKILL) -> int:
    """Send it to the worker's process, and wait for the next one to serve: its id."""
    before = processes(lasso)[worker]
    os.kill(before, signal_)
    await until(lambda: processes(lasso)[worker] in serving(lasso) - {before})
    return processes(lasso)[worker]


async def test_a_killed_worker_is_replaced_by_the_standby_and_another_standby_comes(serve: Serve) -> None:
    async with Devnet.open({"steady": Faults()}, chain=Chain(CHAIN_ID, 1.0, 1000)) as net:
        lasso = await start(serve, net.url("steady"))
        for kill in range(3):
            standby = waiting(lasso)[kill]
            assert await replaced(lasso, kill % 2) == standby
            await until(lambda: len(waiting(lasso)) == kill + 2)  # noqa: B023  (called here)
        answers = [await trio.to_thread.run_sync(lasso.ask, BODY % (n, n)) for n in range(16)]
        assert [answer for answer in answers if b'"result"' not in answer] == []
        await until(lambda: {record["worker"] for record in lasso.completed()} == {0, 1})
        assert [record["standby"] for record in events(lasso, "worker.started")] == [False, False, True, True, True]


async def test_the_standby_serves_what_the_profiles_say_when_it_is_needed(serve: Serve) -> None:
    async with Devnet.open({"steady": Faults()}, chain=Chain(CHAIN_ID, 1.0, 1000)) as net:
        lasso = await start(serve, net.url("steady"))
        text = OTHER.format(chain_id=CHAIN_ID, url=net.url("steady"))
        (lasso.folder / "profiles" / "another.yml").write_text(text)
        await until(lambda: {record["worker"] for record in events(lasso, "config.reloaded")} == {0, 1})
        for worker in (0, 1):
            await replaced(lasso, worker)
        answers = [
            await trio.to_thread.run_sync(lasso.ask, BODY % (n, n), "/rpc/profile/another/anvil") for n in range(16)
        ]
        assert [answer for answer in answers if b'"result"' not in answer] == []


async def test_a_worker_that_is_told_to_end_is_replaced_by_the_standby_as_well(serve: Serve) -> None:
    async with Devnet.open({"steady": Faults()}, chain=Chain(CHAIN_ID, 1.0, 1000)) as net:
        lasso = await start(serve, net.url("steady"))
        assert await replaced(lasso, 1, signal.SIGTERM) == waiting(lasso)[0]


async def test_a_standby_that_dies_is_replaced_and_no_worker_notices(serve: Serve) -> None:
    async with Devnet.open({"steady": Faults()}, chain=Chain(CHAIN_ID, 1.0, 1000)) as net:
        lasso = await start(serve, net.url("steady"))
        for signal_ in (signal.SIGKILL, signal.SIGTERM):
            before = waiting(lasso)
            os.kill(before[-1], signal_)
            await until(lambda: len(waiting(lasso)) > len(before))  # noqa: B023  (called here)
        ended = events(lasso, "standby.ended")
        assert [(record["signal"], record["next_in_s"]) for record in ended] == [("SIGKILL", 0), ("SIGTERM", 0)]
        assert (len(processes(lasso)), events(lasso, "worker.ended")) == (2, [])
        assert await replaced(lasso, 0) == waiting(lasso)[-1]


def no_process_is_left(lasso: Lasso) -> bool:
    return not any(map(is_running, [*waiting(lasso), *processes(lasso).values()]))


async def test_the_standby_ends_with_the_node_and_not_by_what_a_terminal_sends_to_all(serve: Serve) -> None:
    async with Devnet.open({"steady": Faults()}, chain=Chain(CHAIN_ID, 1.0, 1000)) as net:
        lasso = await start(serve, net.url("steady"))
        for pid in (waiting(lasso)[0], *processes(lasso).values()):
            os.kill(pid, signal.SIGINT)
            os.kill(pid, signal.SIGHUP)
        assert await replaced(lasso, 0) == waiting(lasso)[0]
        os.kill(processes(lasso)[0], signal.SIGINT)
        await until(lambda: len(waiting(lasso)) == 2)
        await trio.to_thread.run_sync(lasso.stop)
        assert no_process_is_left(lasso)
        assert len(events(lasso, "worker.ended")) == 1


async def test_a_standby_whose_parent_was_killed_ends(tmp_path: Path) -> None:
    async with Devnet.open({"steady": Faults()}, chain=Chain(CHAIN_ID, 1.0, 1000)) as net:
        node = proxies.running(tmp_path / "lasso", {"steady": net.url("steady")}, env=ENV)
        lasso = await trio.to_thread.run_sync(node.__enter__)
        await until(lambda: len(waiting(lasso)) == 1)
        os.kill(lasso.pid, signal.SIGKILL)
        await until(lambda: no_process_is_left(lasso))
        with pytest.raises(AssertionError, match="exit code -9"):
            await trio.to_thread.run_sync(node.__exit__, None, None, None)


async def test_without_a_standby_a_worker_is_replaced_by_a_process_anew(serve: Serve) -> None:
    async with Devnet.open({"steady": Faults()}, chain=Chain(CHAIN_ID, 1.0, 1000)) as net:
        env = {**ENV, "LASSO_STANDBY": "off"}
        lasso = await trio.to_thread.run_sync(partial(serve, {"steady": net.url("steady")}, env=env))
        await until(lambda: len(serving(lasso)) == 2)
        await replaced(lasso, 0)
        assert (events(lasso, "standby.started"), waiting(lasso)) == ([], [])
