"""The parent over workers that are not there: processes played in virtual time, buses over memory."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock, wait_all_tasks_blocked

from lasso_trio import notify
from lasso_trio.config.settings import Settings
from lasso_trio.errors import ConfigError
from lasso_trio.workers import parent as module
from lasso_trio.workers import pulse
from lasso_trio.workers.bus import Bus
from lasso_trio.workers.parent import BEYOND_GRACE_S, watch_signals
from lasso_trio.workers.switch import Switch
from tests.workers.stage import GRACE_S, Stage, ended, parent_on, serves


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the service manager was told."""
    told: list[bytes] = []
    monkeypatch.setattr(notify, "tell", told.append)
    return told


async def test_a_node_is_ready_when_all_its_workers_are_and_ends_when_all_have_drained(
    nursery: trio.Nursery, autojump_clock: MockClock, told: list[bytes]
) -> None:
    stage = Stage(nursery)
    parent = parent_on(stage)
    await nursery.start(parent.run)
    await wait_all_tasks_blocked()
    serves(stage.now(0))
    await wait_all_tasks_blocked()
    assert (parent.ready, told) == (False, [])
    with capture_logs() as logs:
        serves(stage.now(1))
        await wait_all_tasks_blocked()
    (line,) = [line for line in logs if line["event"] == "node.ready"]
    assert (line["addresses"], line["workers"]) == (["http://127.0.0.1:4000"], 2)
    assert (parent.ready, told) == (True, [notify.READY])
    parent.stop()
    await wait_all_tasks_blocked()
    assert told == [notify.READY, notify.STOPPING]
    assert [worker.told for worker in stage.workers] == [["drain"], ["drain"]]
    for worker in stage.workers:
        worker.ends(0)
    await trio.sleep(1)
    assert (parent.exit_code, len(stage.workers), parent.switch.up) == (0, 2, [])


async def test_a_killed_worker_is_replaced_at_once_and_its_role_with_it(
    nursery: trio.Nursery, autojump_clock: MockClock, told: list[bytes]
) -> None:
    stage = Stage(nursery, serves)
    parent = parent_on(stage)
    await nursery.start(parent.run)
    await trio.sleep(60)
    for _ in range(5):
        assert parent.switch.keeper is not None
        keeper = stage.now(parent.switch.keeper)
        began = trio.current_time()
        keeper.ends(-signal.SIGKILL)
        await wait_all_tasks_blocked()
        assert trio.current_time() == began
        assert parent.switch.up == [0, 1]
        assert parent.switch.keeper == 1 - keeper.number
        await trio.sleep(3)
    assert len(stage.workers) == 7
    assert told == [notify.READY]
    await ended(parent, stage)


async def test_one_that_crashes_again_and_again_is_given_time(
    nursery: trio.Nursery, autojump_clock: MockClock, told: list[bytes]
) -> None:
    stage = Stage(nursery, serves)
    parent = parent_on(stage, 1)
    await nursery.start(parent.run)
    await trio.sleep(60)
    stage.starts = lambda worker: worker.ends(1)
    with capture_logs() as logs:
        stage.workers[0].ends(-signal.SIGSEGV)
        await trio.sleep(60)
    waits = [line["next_in_s"] for line in logs if line["event"] == "worker.ended"]
    assert waits[:6] == [0.0, 0.0, 0.0, 0.5, 1.0, 2.0]
    assert len(waits) < 12
    stage.starts = serves
    await trio.sleep(60)
    assert parent.switch.ready == [0]
    await ended(parent, stage)


async def test_a_worker_that_cannot_start_ends_a_node_that_never_was_ready(
    nursery: trio.Nursery, autojump_clock: MockClock, told: list[bytes]
) -> None:
    stage = Stage(nursery, lambda worker: worker.ends(2) if worker.number == 1 else None)
    parent = parent_on(stage)
    with capture_logs() as logs:
        assert await parent.run() == 2
    assert stage.now(0).told == ["SIGTERM"]
    assert "node.not_started" in [line["event"] for line in logs]
    assert told == [notify.STOPPING]


async def test_a_process_that_the_system_refuses_is_tried_again(
    nursery: trio.Nursery, autojump_clock: MockClock, told: list[bytes]
) -> None:
    stage = Stage(nursery, serves, fails=3)
    parent = parent_on(stage, 1)
    await nursery.start(parent.run)
    await trio.sleep(5)
    assert parent.ready
    await ended(parent, stage)


async def test_a_second_stop_cuts_and_who_hangs_is_killed(
    nursery: trio.Nursery, autojump_clock: MockClock, told: list[bytes]
) -> None:
    stage = Stage(nursery, serves)
    parent = parent_on(stage)
    await nursery.start(parent.run)
    await trio.sleep(5)
    parent.stop()
    await trio.sleep(GRACE_S / 2)
    assert [worker.told for worker in stage.workers] == [["drain"], ["drain"]]
    stage.workers[0].hangs = True
    parent.stop()
    await trio.sleep(1)
    assert [worker.code for worker in stage.workers][1] == 0
    began = trio.current_time()
    await stage.workers[0].wait()
    assert trio.current_time() - began < GRACE_S + BEYOND_GRACE_S
    assert stage.workers[0].told[-1] == "SIGKILL"
    await trio.sleep(1)
    assert parent.exit_code == 0


async def test_a_reload_reaches_all_and_also_one_that_started_meanwhile(
    nursery: trio.Nursery, autojump_clock: MockClock, told: list[bytes]
) -> None:
    stage = Stage(nursery)
    parent = parent_on(stage)
    await nursery.start(parent.run)
    await trio.sleep(1)
    serves(stage.now(0))
    await trio.sleep(1)
    parent.ask_reload("SIGHUP")
    await trio.sleep(1)
    assert [worker.told for worker in stage.workers if worker.number == 0] == [["SIGHUP"]]
    serves(stage.now(1))
    await trio.sleep(1)
    assert stage.now(1).told == ["worker started"]
    await ended(parent, stage)


async def test_a_fault_in_what_a_worker_says_costs_that_worker_only(
    nursery: trio.Nursery, autojump_clock: MockClock, told: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def office(switch: Switch) -> None:
        switch.on_leave(broken)

    def broken(_: int) -> None:
        raise ValueError("a mistake")

    monkeypatch.setattr(module, "OFFICES", (office,))
    stage = Stage(nursery, serves)
    parent = parent_on(stage)
    await nursery.start(parent.run)
    await trio.sleep(5)
    with capture_logs() as logs:
        stage.now(1).ends(1)
        await trio.sleep(1)
    assert "bus.crashed" in [line["event"] for line in logs]
    assert parent.switch.up == [0, 1]
    await ended(parent, stage)


async def test_signals_stop_the_node_or_reload_it(
    nursery: trio.Nursery, autojump_clock: MockClock, told: list[bytes]
) -> None:
    stage = Stage(nursery, serves)
    parent = parent_on(stage, 1)
    await nursery.start(parent.run)
    await nursery.start(watch_signals, parent)
    await trio.sleep(1)
    os.kill(os.getpid(), signal.SIGHUP)
    await trio.sleep(1)
    assert stage.workers[0].told == ["SIGHUP"]
    os.kill(os.getpid(), signal.SIGTERM)
    await trio.sleep(1)
    assert stage.workers[0].told == ["SIGHUP", "drain"]
    stage.workers[0].ends(0)
    await trio.sleep(1)
    nursery.cancel_scope.cancel()


async def test_the_address_is_looked_at_before_any_worker_starts() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="cannot listen on"):
            await module.keep(Settings(port=taken.getsockname()[1], workers=2), 1)


def test_rows_of_the_catalogue_that_are_wrong_are_told_once_and_by_the_parent(tmp_path: Path) -> None:
    rows = tmp_path / "rows.toml"
    rows.write_text("[[rows]]\n")
    with pytest.raises(ConfigError):
        module.serve(Settings(port=0, workers=2, catalogue_file=rows))


async def test_a_worker_that_hangs_is_killed_and_replaced(
    nursery: trio.Nursery, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung = 0

    def give(bus: Bus) -> None:
        async def act(sender: int, payload: bytes) -> bytes:
            if bus.worker == hung:
                await trio.sleep_forever()
            return b""

        bus.answer(pulse.PULSE, act)

    monkeypatch.setattr(pulse, "give", give)
    stage = Stage(nursery, serves)
    parent = parent_on(stage)
    await nursery.start(parent.run)
    await trio.sleep(5)
    first, other = stage.now(0), stage.now(1)
    with capture_logs() as logs:
        await trio.sleep(10)
    assert (first.told, other.told) == (["SIGKILL"], [])
    assert stage.now(0) is not first
    assert {"event": "worker.hangs", "worker": 0, "pid": first.pid, "log_level": "error"} in logs
    hung = -1
    await ended(parent, stage)


async def test_how_often_a_worker_was_replaced_is_known(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    stage = Stage(nursery, serves)
    parent = parent_on(stage)
    await nursery.start(parent.run)
    await trio.sleep(5)
    stage.now(0).ends(-signal.SIGKILL)
    await trio.sleep(5)
    assert [seat.ended for seat in parent.seats] == [1, 0]
    await ended(parent, stage)


async def test_a_worker_that_is_being_started_when_the_node_ends_does_not_keep_it(
    nursery: trio.Nursery, autojump_clock: MockClock, told: list[bytes]
) -> None:
    stage = Stage(nursery, serves)
    parent = parent_on(stage)
    await nursery.start(parent.run)
    await trio.sleep(60)
    stage.takes_s = 0.1
    stage.now(1).ends(-signal.SIGKILL)
    await trio.sleep(0.05)
    parent.stop()
    await wait_all_tasks_blocked()
    stage.now(0).ends(0)
    await trio.sleep(0.1)
    assert stage.workers[2].told == ["SIGTERM"]
    assert [seat.process for seat in parent.seats] == [None, None]
