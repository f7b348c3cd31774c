"""The parent of a node's workers: it starts them, replaces those that end, passes on what they tell each other, and is
the one whom service managers and operators signal. It takes no calls itself.

    root ─ signals · reloads · watch of the profiles · watch for workers that hang · one process in reserve
       └─ worker 0 … n−1: a life after another ─ its process · its end of the bus

SIGTERM, SIGINT: all drain, and when it comes again are cut. SIGHUP: all read the profiles again. A worker that cannot
start ends the node with its exit code, as long as the node has never been ready; later it is tried again and again, and
the others serve.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable
from functools import partial
from secrets import token_urlsafe
from typing import Final

import attrs
import structlog
import trio

from lasso_trio import __version__, descriptors, notify, watching
from lasso_trio.config.settings import Settings
from lasso_trio.providers.own_catalogue import load_over
from lasso_trio.telemetry.log import configure
from lasso_trio.telemetry.turn import Turn
from lasso_trio.workers import bank
from lasso_trio.workers.page_office import PageOffice
from lasso_trio.workers.ports import Held
from lasso_trio.workers.post import Post
from lasso_trio.workers.process import LAST_WORDS_S, Program, ending
from lasso_trio.workers.pulse import Pulse
from lasso_trio.workers.reload import NodeReload
from lasso_trio.workers.reserve import Reserve
from lasso_trio.workers.restarts import Restarts
from lasso_trio.workers.standby import needed_for
from lasso_trio.workers.switch import Switch
from lasso_trio.workers.worker import CUT, DRAIN

BEYOND_GRACE_S: Final = 5.0
"""What a worker may take after the grace to close; then it is killed."""

COMES_S: Final = 10.0
"""A standby that was given a post is heard of in a fraction of a second."""
READY_S: Final = 120.0
"""A worker takes calls after some two seconds, after ten times that on a machine that has no time for it."""

log = structlog.get_logger(__name__)


@attrs.define(eq=False)
class Seat:
    """What is known of worker `number`. Times are trio's clock; `ready_at` is None while it takes no calls."""

    number: int
    process: trio.Process | None = None
    started: float = 0.0
    ready_at: float | None = None
    ended: int = 0
    """Processes that were here before."""
    restarts: Restarts = attrs.field(factory=Restarts)


@attrs.define(eq=False)
class Parent:
    """Made inside `trio.run`; `run` is the node's life, once."""

    seats: tuple[Seat, ...]
    program: Program
    grace_s: float
    addresses: list[str] = attrs.field(factory=list)
    standby: bool = False
    """Keep a process in reserve."""
    switch: Switch = attrs.field(factory=Switch)
    reload: NodeReload = attrs.field(init=False)
    reserve: Reserve = attrs.field(init=False)
    ready: bool = False
    """All workers took calls at one time: the node has started."""
    exit_code: int = 0
    _ending: trio.Event = attrs.field(factory=trio.Event)
    _asked: trio.Event = attrs.field(factory=trio.Event)
    _why: str = ""

    def __attrs_post_init__(self) -> None:
        self.reload = NodeReload(self.switch)
        self.reload.serve()
        self.reserve = Reserve(self.program, self.standby)
        self.switch.on_ready(self._seat_ready)
        for serve in OFFICES:
            serve(self.switch)
        PageOffice(self.switch, lambda: {seat.number: seat.ended for seat in self.seats}).serve()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> int:
        """Until told to stop; the exit code. Cancelled: the workers see the end of their bus, and drain."""
        async with trio.open_nursery() as root:
            root.start_soon(self._reloads)
            root.start_soon(self.reserve.run)
            root.start_soon(Pulse(self.switch, self._kill_hanging).watch)
            async with trio.open_nursery() as lives:
                for seat in self.seats:
                    lives.start_soon(self._keep, seat, name=f"worker {seat.number}")
                task_status.started()
                await self._ending.wait()
                await self._drain(lives)
            root.cancel_scope.cancel()
        return self.exit_code

    def stop(self) -> None:
        """The first call drains, the second cuts."""
        if self._ending.is_set():
            self.switch.order(CUT)
        self._ending.set()

    def ask_reload(self, why: str) -> None:
        """Have all workers read the profiles again, soon. Several that come at once are one."""
        self._why = why
        self._asked.set()

    async def _reloads(self) -> None:
        while True:
            await self._asked.wait()
            self._asked = trio.Event()
            await self.reload.all(self._why)

    # -- a worker's lives ---------------------------------------------------------------------------------------------

    async def _keep(self, seat: Seat) -> None:
        """One life after another, until the node ends."""
        while not self._ending.is_set():
            code = await self._live(seat)
            if self._ending.is_set():
                return
            ready_s = None if seat.ready_at is None else trio.current_time() - seat.ready_at
            if code > 0 and ready_s is None and not self.ready:
                return self._fail(seat, code)
            seat.restarts = seat.restarts.after(ready_s)
            lived_s, delay_s = round(trio.current_time() - seat.started, 3), seat.restarts.delay_s
            log.error("worker.ended", worker=seat.number, lived_s=lived_s, next_in_s=delay_s, **ending(code))
            with trio.move_on_after(delay_s):
                await self._ending.wait()

    async def _live(self, seat: Seat) -> int:
        """One process from start to end; its exit code, negative for a signal."""
        seat.started, seat.ready_at = trio.current_time(), None
        try:
            process, stream, waited = await self.reserve.start(seat.number)
        except OSError as error:
            log.error("worker.not_started", worker=seat.number, error=str(error))
            return -signal.SIGKILL
        seat.process = process
        log.info("worker.started", worker=seat.number, pid=process.pid, standby=waited)
        if self._ending.is_set():  # all were told to drain while it was being started
            process.terminate()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._attach, seat, stream)
            code = await self._end_of(seat, process, COMES_S if waited else READY_S)
            nursery.cancel_scope.deadline = trio.current_time() + LAST_WORDS_S  # what it told is still to be read
        seat.process = None
        seat.ended += 1
        return code

    async def _end_of(self, seat: Seat, process: trio.Process, comes_s: float) -> int:
        """Its exit code. A standby may have been stopped long ago, unnoticed: it comes in `comes_s` or is killed. So is
        who does not take calls in the end: the pulse is felt only of those that do.
        """
        with trio.move_on_after(comes_s):
            return await process.wait()
        if seat.number not in self.switch.up:
            self._kill_hanging(seat.number)
        with trio.CancelScope(deadline=seat.started + READY_S):
            return await process.wait()
        if seat.ready_at is None:
            self._kill_hanging(seat.number)
        return await process.wait()

    async def _attach(self, seat: Seat, stream: trio.abc.Stream) -> None:
        """The one place where a fault in what a worker is told or heard is contained: it costs that worker."""
        try:
            await self.switch.attach(seat.number, stream)
        except* Exception:
            log.exception("bus.crashed", worker=seat.number)

    def _seat_ready(self, number: int) -> None:
        seat, now = self.seats[number], trio.current_time()
        seat.ready_at = now
        log.info("worker.ready", worker=number, took_s=round(now - seat.started, 3))
        if seat.started <= self.reload.last:  # it may have read the profiles before the others read them again
            self.ask_reload("worker started")
        if len(self.switch.ready) == len(self.seats):
            self._all_ready()

    def _all_ready(self) -> None:
        self.reserve.fill()
        if not self.ready:
            self.ready = True
            log.info("node.ready", addresses=self.addresses, version=__version__, workers=len(self.seats))
            notify.tell(notify.READY)

    def _kill_hanging(self, number: int) -> None:
        """Then it is replaced, as any that ended. While the node ends the grace is its time."""
        process = self.seats[number].process
        if process is not None and not self._ending.is_set():
            log.error("worker.hangs", worker=number, pid=process.pid)
            process.kill()

    def _fail(self, seat: Seat, code: int) -> None:
        log.error("node.not_started", worker=seat.number, **ending(code))
        self.exit_code = self.exit_code or code
        self._ending.set()

    # -- the end ------------------------------------------------------------------------------------------------------

    async def _drain(self, lives: trio.Nursery) -> None:
        """Have all workers drain; those that hang are killed."""
        log.info("node.draining", workers=len(self.switch.up), grace_s=self.grace_s)
        notify.tell(notify.STOPPING)
        self.reserve.stop()
        self.switch.ending = True
        self.switch.order(DRAIN)
        for seat in self.seats:
            if seat.ready_at is None and seat.process is not None:
                seat.process.terminate()  # it may not listen to its bus yet
        lives.start_soon(self._kill_late, lives.cancel_scope)

    async def _kill_late(self, lives: trio.CancelScope) -> None:
        with trio.move_on_after(self.grace_s + BEYOND_GRACE_S):
            while any(seat.process is not None for seat in self.seats):  # noqa: ASYNC110  (several, and rarely)
                await trio.sleep(0.02)
            return
        for seat in self.seats:
            if seat.process is not None:
                log.error("worker.killed", worker=seat.number, pid=seat.process.pid)
                seat.process.kill()


def serve_bank(switch: Switch) -> None:
    """Clients' limits hold for the node: what one worker lets pass is missing at the others."""
    bank.serve(switch)


OFFICES: Final[tuple[Callable[[Switch], None], ...]] = (serve_bank,)
"""What the parent does for its workers besides keeping them: each is given its end of the bus before a worker comes."""


async def watch_signals(parent: Parent, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        task_status.started()
        async for number in signals:
            log.info("node.signal", signal=signal.Signals(number).name)
            if number == signal.SIGHUP:
                parent.ask_reload("SIGHUP")
            else:
                parent.stop()


async def keep(settings: Settings, turn: int) -> int:
    """A node of `settings.workers` processes, from its ports to its exit code. Raises OSError for an address."""
    door = await Held.on(settings.host, settings.port) if settings.listen else None
    ops = None if settings.ops_port is None else await Held.on(settings.host, settings.ops_port)
    post = partial(
        Post,
        workers=settings.workers,
        turn=turn,
        port=settings.port if door is None else door.port,
        ops_port=None if ops is None else ops.port,
        secret=token_urlsafe(64),
    )
    seats = tuple(Seat(number) for number in range(settings.workers))
    program = Program(post, needed=needed_for(settings))
    parent = Parent(seats, program, settings.grace_s, [] if door is None else door.urls(), settings.standby)
    async with trio.open_nursery() as nursery:
        await nursery.start(watch_signals, parent)
        if settings.profiles_dir is not None:
            nursery.start_soon(watching.watch, settings.profiles_dir, partial(parent.ask_reload, "file changed"))
        code = await parent.run()
        nursery.cancel_scope.cancel()
    return code


def serve(settings: Settings) -> int:
    """Run a node with workers until it is told to stop. Returns the exit code.

    Raises OSError when the address cannot be had, ConfigError when the error catalogue's own rows are wrong.
    """
    log_ = configure(level=settings.log_level, format=settings.log_format.value)
    with open(_turn(), "wb", buffering=0) as turn:
        log_.share(None, Turn(turn.fileno()))
        try:
            descriptors.raise_limit()
            if settings.catalogue_file is not None:
                load_over(settings.catalogue_file)  # for its problems, told once
            return trio.run(keep, settings, turn.fileno())
        finally:
            log_.close()


def _turn() -> int:
    """A file without a name, to take turns on."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("lasso-turn")
    number, name = tempfile.mkstemp()
    os.unlink(name)
    return number
