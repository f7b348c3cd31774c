"""The parent's one process in reserve: it waits, everything imported, to be the worker that replaces a dead one.

    fill ─► started ─► waits ─► taken: the next one is started
               │         └──► ended: started again, soon or after growing pauses
               └─► taken while it still imports: when all workers take calls again

It is no worker: it counts nowhere, and its end is nobody's crash. Who took one that waited has nothing to import, so
the next one is started at once, for another worker may end soon after. Else it has to wait until all workers take
calls: its imports would compete with those of a worker that somebody waits for. Who needs one while the next is being
started gets that; whoever comes then, a process anew.
"""

from __future__ import annotations

from typing import Final

import attrs
import msgspec
import structlog
import trio

from lasso_trio.workers.frame import PARENT, BrokenFrame, Frame, FrameReader, Kind, check_greeting, encoded
from lasso_trio.workers.process import Program, Standby, ending
from lasso_trio.workers.restarts import Restarts
from lasso_trio.workers.standby import POST, WAITS

END_S: Final = 1.0
"""A killed process is gone in milliseconds."""
PAUSE_S: Final = 0.5
"""Before one that ended is told of and replaced: who ends a node may signal all its processes at once."""
_READ: Final = 4096

log = structlog.get_logger(__name__)


@attrs.define(eq=False)
class Reserve:
    """`on`: False never keeps one. `standby`: that which can be taken, also while it still imports."""

    program: Program
    on: bool = True
    standby: Standby | None = None
    _wanted: trio.Event = attrs.field(factory=trio.Event)
    _next: trio.Event | None = None
    """Another one is being started at this moment; set when it is there, or is not to be."""
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    def fill(self) -> None:
        """Have a standby, soon. When there is one: no difference."""
        if self.on:
            self._wanted.set()

    def stop(self) -> None:
        """The node ends: nobody is replaced any more."""
        self._scope.cancel()

    async def run(self) -> None:
        """Keep one when wanted, until stopped or cancelled: then it is killed."""
        try:
            with self._scope:
                while True:
                    await self._wanted.wait()
                    while await self._until_taken():
                        pass  # and another one
                    self._wanted = trio.Event()
        finally:
            self._next_is_there()

    async def start(self, worker: int) -> tuple[trio.Process, trio.abc.Stream, bool]:
        """A process with the post of `worker`, our end of its bus, and whether it had waited, with nothing left to
        import. Raises OSError.

        Cancelled: a process that was started is left to the end of its bus.
        """
        if self._next is not None:
            await self._next.wait()
        standby, self.standby = self.standby, None
        if standby is None:
            return *await self.program.start(worker), False
        self._next = trio.Event() if standby.waits_since is not None else None
        try:
            await self._hand_over(standby, worker)
        except BaseException:
            await trio.aclose_forcefully(standby.stream)
            raise
        return standby.process, standby.stream, standby.waits_since is not None

    async def _hand_over(self, standby: Standby, worker: int) -> None:
        standby.hearing.cancel()
        await standby.free.wait()
        post = msgspec.json.encode(self.program.post(worker, standby.bus))
        try:
            await standby.stream.send_all(encoded(Frame(Kind.TELL, PARENT, worker, POST, post)))
        except trio.BrokenResourceError:
            log.warning("standby.died", pid=standby.process.pid)  # the rest is as with any worker that ends

    async def _until_taken(self) -> bool:
        """One after another, as they end. One that does not speak as we do is the last. Had who was taken waited?"""
        restarts = Restarts()
        while True:
            standby = await self._begin()
            self._next_is_there()
            if standby is not None and not await self._keep(standby):
                return standby.hearing.cancel_called and standby.waits_since is not None
            waited_s = None if standby is None else standby.waited_s(trio.current_time())
            restarts = restarts.after(waited_s)
            await trio.sleep(PAUSE_S)
            if standby is not None:
                log.warning("standby.ended", waited_s=waited_s, next_in_s=restarts.delay_s, **_end_of(standby))
            await trio.sleep(restarts.delay_s)

    def _next_is_there(self) -> None:
        if self._next is not None:
            self._next.set()
            self._next = None

    async def _begin(self) -> Standby | None:
        try:
            standby = await self.program.start_standby()
        except OSError as error:
            log.error("standby.not_started", error=str(error))
            return None
        log.info("standby.started", pid=standby.process.pid)
        return standby

    async def _keep(self, standby: Standby) -> bool:
        """Until it is taken, is of no use, or has ended: is another one to be started?"""
        self.standby, ended = standby, False
        try:
            with standby.hearing:
                ended = await _hear(standby)
                if ended:
                    with trio.move_on_after(END_S):
                        await standby.process.wait()
        finally:
            with trio.CancelScope(deadline=trio.current_time() + END_S, shield=True):
                await self._release(standby)
        return ended and not standby.hearing.cancel_called

    async def _release(self, standby: Standby) -> None:
        """To who takes it, or to nowhere."""
        if self.standby is standby:
            self.standby = None
            standby.process.kill()
            await trio.aclose_forcefully(standby.stream)
            await standby.process.wait()
        standby.free.set()


async def _hear(standby: Standby) -> bool:
    """What it says, to its end. False: it speaks otherwise than we do, and is given no post."""
    reader = FrameReader()
    try:
        while data := await standby.stream.receive_some(_READ):
            for frame, _ in reader.feed(data):
                _note(standby, frame)
    except trio.BrokenResourceError:
        return True
    except BrokenFrame as fault:
        log.error("standby.refused", pid=standby.process.pid, error=str(fault))
        return False
    return True


def _note(standby: Standby, frame: Frame) -> None:
    if frame.topic == WAITS:
        check_greeting(frame.payload)
        standby.waits_since = now = trio.current_time()
        log.info("standby.waits", pid=standby.process.pid, took_s=round(now - standby.started, 3))


def _end_of(standby: Standby) -> dict[str, object]:
    code = standby.process.returncode
    return {} if code is None else ending(code)
