"""Workers that are not there, for the parent and its reserve: processes played in virtual time, buses over memory."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import msgspec
import trio
from trio.testing import memory_stream_pair, wait_all_tasks_blocked

from lasso_trio.config.reload import ReloadResult
from lasso_trio.workers.bus import Bus
from lasso_trio.workers.frame import PARENT, Frame, FrameReader, Kind, encoded, greeting
from lasso_trio.workers.parent import Parent, Seat
from lasso_trio.workers.post import Post
from lasso_trio.workers.process import NOBODY, Standby
from lasso_trio.workers.standby import WAITS
from lasso_trio.workers.worker import obey, tell_ready

GRACE_S = 10.0
BUS = 7
"""The number of a standby's end of its bus."""


@attrs.define(eq=False)
class Played:
    """One worker's process. `ends(code)` ends it; one that `hangs` is not even cut."""

    number: int
    pid: int
    stream: trio.abc.Stream
    bus: Bus = attrs.field(init=False)
    hangs: bool = False
    told: list[str] = attrs.field(factory=list)
    code: int | None = None
    _end: trio.Event = attrs.field(factory=trio.Event)

    @property
    def returncode(self) -> int | None:
        return self.code

    def begin(self, number: int) -> None:
        """It is a worker."""
        self.number = number
        self.bus = Bus(number, self.stream)
        obey(self.bus, self)

    async def wait(self) -> int:
        await self._end.wait()
        assert self.code is not None
        return self.code

    def ends(self, code: int) -> None:
        self.code = code if self.code is None else self.code
        self._end.set()

    def terminate(self) -> None:
        self.told.append("SIGTERM")
        self.ends(0)

    def kill(self) -> None:
        self.told.append("SIGKILL")
        self.ends(-signal.SIGKILL)

    def drain(self) -> None:
        self.told.append("drain")

    def cut(self) -> None:
        self.told.append("cut")
        if not self.hangs:
            self.ends(0)

    async def reload(self, why: str) -> ReloadResult:
        self.told.append(why)
        return ReloadResult(True, 1)


@attrs.define(eq=False)
class Stage:
    """Starts played workers and standbys. `starts`: what each worker does when it starts."""

    nursery: trio.Nursery
    starts: Callable[[Played], None] = lambda _: None
    workers: list[Played] = attrs.field(factory=list)
    fails: int = 0
    takes_s: float = 0.0
    """Until a process is there."""
    standby_fails: int = 0
    standbys: list[Played] = attrs.field(factory=list)
    """All that ever were; those that got a post are among the workers as well."""
    imports_s: float = 1.0
    greets: bytes = attrs.field(factory=greeting)
    deaf: bool = False
    """Standbys do not read what they are told."""

    async def start(self, number: int) -> tuple[Any, trio.abc.Stream]:
        if self.fails:
            self.fails -= 1
            raise OSError("no more processes")
        await trio.sleep(self.takes_s)
        ours, theirs = memory_stream_pair()
        worker = Played(number, 1000 + len(self.workers), theirs)
        self.nursery.start_soon(self._life, worker, self._work, number)
        return worker, ours

    async def start_standby(self) -> Standby:
        await trio.lowlevel.checkpoint()
        if self.fails or self.standby_fails:
            self.fails, self.standby_fails = max(0, self.fails - 1), max(0, self.standby_fails - 1)
            raise OSError("no more processes")
        ours, theirs = memory_stream_pair()
        worker: Any = Played(NOBODY, 2000 + len(self.standbys), theirs)
        self.standbys.append(worker)
        self.nursery.start_soon(self._life, worker, self._wait)
        return Standby(worker, ours, BUS, trio.current_time())

    def post(self, number: int, bus: int) -> Post:
        return Post(number, bus, workers=2, turn=8, port=4000, ops_port=None, secret="s")

    async def _life(self, worker: Played, act: Callable[..., Awaitable[object]], *args: object) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(act, worker, *args)
            await worker.wait()
            nursery.cancel_scope.cancel()
        await trio.aclose_forcefully(worker.stream)

    async def _work(self, worker: Played, number: int) -> None:
        worker.begin(number)
        self.workers.append(worker)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(worker.bus.run)
            self.starts(worker)

    async def _wait(self, worker: Played) -> None:
        """As `standby.become_worker`; without a post it ends."""
        await trio.sleep(self.imports_s)
        await worker.stream.send_all(encoded(Frame(Kind.TELL, NOBODY, PARENT, WAITS, self.greets)))
        if self.deaf:
            await trio.sleep_forever()
        for frame, _ in FrameReader().feed(await worker.stream.receive_some()):
            post = msgspec.json.decode(frame.payload, type=Post)
            assert post.bus == BUS
            return await self._work(worker, post.worker)
        worker.ends(0)

    def now(self, number: int) -> Played:
        return next(worker for worker in reversed(self.workers) if worker.number == number)


def serves(worker: Played) -> None:
    tell_ready(worker.bus)


def parent_on(stage: Stage, count: int = 2, standby: bool = False) -> Parent:
    program: Any = stage
    seats = tuple(Seat(number) for number in range(count))
    return Parent(seats, program, GRACE_S, ["http://127.0.0.1:4000"], standby)


async def ended(parent: Parent, stage: Stage) -> None:
    """Stop it, let the workers end, and see that it does."""
    parent.stop()
    await wait_all_tasks_blocked()
    for worker in stage.workers + stage.standbys:
        worker.ends(0)
