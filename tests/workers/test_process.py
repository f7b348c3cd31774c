"""A worker's process: our own command, its post, our end of its bus, and nothing of the service manager's."""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from typing import Any, NoReturn

import attrs
import pytest
import trio

from lasso_trio.workers.post import VARIABLE, Post
from lasso_trio.workers.process import STANDBY, Program, Standby, ending, own_command

SPEAKS = f"""
import json, os, socket
post = json.loads(os.environ["{VARIABLE}"])
os.fstat(post["turn"])
words = [post["worker"], post["port"], os.environ["LASSO_WORKERS"], "NOTIFY_SOCKET" in os.environ]
socket.socket(fileno=post["bus"]).sendall(json.dumps(words).encode())
"""


async def test_a_process_finds_its_post_and_speaks_on_its_bus() -> None:
    turn = os.memfd_create("turn")
    environment = {**os.environ, "NOTIFY_SOCKET": "/nowhere"}
    post = partial(Post, workers=4, turn=turn, port=5000, ops_port=None, secret="")
    program = Program(post, [sys.executable, "-c", SPEAKS], environment)
    with trio.fail_after(30):
        process, stream = await program.start(3)
        said = b""
        async with stream:
            while piece := await stream.receive_some():
                said += piece
        assert await process.wait() == 0
    os.close(turn)
    assert json.loads(said) == [3, 5000, "4", False]


WAITS = f"""
import json, os, socket
words = [os.environ.get("{VARIABLE}"), "NOTIFY_SOCKET" in os.environ]
number, *needed = os.environ["{STANDBY}"].split()
socket.socket(fileno=int(number)).sendall(json.dumps(words + needed).encode())
"""


async def test_a_standby_finds_its_bus_and_no_post() -> None:
    turn = os.memfd_create("turn")
    environment = {**os.environ, "NOTIFY_SOCKET": "/nowhere"}
    program = Program(
        partial(Post, workers=4, turn=turn, port=1, ops_port=None, secret=""),
        [sys.executable, "-c", WAITS],
        environment,
    )
    with trio.fail_after(30):
        standby = await attrs.evolve(program, needed=["a.module", "another"]).start_standby()
        async with standby.stream:
            said = await standby.stream.receive_some()
        assert await standby.process.wait() == 0
    os.close(turn)
    assert json.loads(said) == [None, False, "a.module", "another"]


def test_how_long_a_standby_waited_is_counted_from_when_it_had_imported_all() -> None:
    process: Any = None
    standby = Standby(process, process, 7, 10.0)
    assert standby.waited_s(20.0) is None
    standby.waits_since = 11.0
    assert standby.waited_s(20.0) == 9.0


async def test_a_program_that_cannot_be_started_leaves_no_descriptor_open() -> None:
    program = Program(partial(Post, workers=1, turn=1, port=1, ops_port=None, secret=""), ["/nowhere/at/all"])
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="nowhere"):
        await program.start(0)
    with pytest.raises(OSError, match="nowhere"):
        await program.start_standby()
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # a thread's, at most


async def test_no_thread_to_start_a_process_in_is_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*args: object, **options: object) -> NoReturn:
        raise RuntimeError("can't start new thread")  # as trio.to_thread, where the system has no more of them

    monkeypatch.setattr(trio.lowlevel, "open_process", refused)
    program = Program(partial(Post, workers=1, turn=1, port=1, ops_port=None, secret=""))
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="new thread"):
        await program.start(0)
    with pytest.raises(OSError, match="new thread"):
        await program.start_standby()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_worker_is_started_as_we_were() -> None:
    command = own_command()
    assert command[0] == sys.executable
    assert command[1:] == sys.orig_argv[1:]


def test_endings_are_told_in_words() -> None:
    assert ending(2) == {"exit_code": 2}
    assert ending(-signal.SIGKILL) == {"signal": "SIGKILL"}
    assert ending(-64_000) == {"signal": "64000"}
