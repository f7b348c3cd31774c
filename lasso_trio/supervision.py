"""Restart policy: children that must not end, kept going, with what happened to them as visible state.

A child is *permanent*: that it crashes is a fault, and that it plainly returns is one too, unless it returns
`FINISHED`. Each run has a nursery of its own, so a stray `Cancelled` out of a library ends the run (as a plain return)
and not the tree. Between runs there is a wait of random length, up to a ceiling that doubles from 0.5 s to 30 s and
falls back after a minute of health. What is not an `Exception` (`Cancelled` from outside, `KeyboardInterrupt`,
`SystemExit`) passes through.

This is the one place where a service's failure is contained; it never takes its siblings down.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum, StrEnum
from random import Random
from typing import Final

import attrs
import structlog
import trio

from lasso_trio.telemetry.scrub import scrub

MAX_ERROR_CHARS: Final = 300

log = structlog.get_logger(__name__)


class _Finished(Enum):
    FINISHED = "finished"


FINISHED: Final = _Finished.FINISHED
"""What a child returns to say that it has nothing more to do."""

Child = Callable[[], Awaitable[object]]


class ChildState(StrEnum):
    RUNNING = "running"
    WAITING = "waiting"
    """Between a fault and the next run."""
    FINISHED = "finished"
    STOPPED = "stopped"
    """Cancelled, or the process is ending."""


@attrs.frozen
class RestartPolicy:
    """Seconds. The n-th wait in a row is uniform in 0 … min(`longest_s`, `first_s` × 2ⁿ)."""

    first_s: float = 0.5
    longest_s: float = 30.0
    healthy_s: float = 60.0

    def delay(self, streak: int, rng: Random) -> float:
        return rng.uniform(0.0, min(self.longest_s, self.first_s * 2.0 ** min(streak, 32)))


PERMANENT: Final = RestartPolicy()


@attrs.define(eq=False)
class Supervised:
    """One child as others see it.

    `since`: when `state` began (trio's clock). `restarts`: since the beginning. `streak`: faults without a minute of
    health between them. `last_error` is scrubbed; `last_error_at` is None while there was none.
    """

    name: str
    since: float
    state: ChildState = ChildState.RUNNING
    restarts: int = 0
    streak: int = 0
    last_error: str = ""
    last_error_at: float | None = None

    @property
    def running(self) -> bool:
        return self.state is ChildState.RUNNING

    def _enter(self, state: ChildState) -> None:
        self.state, self.since = state, trio.current_time()


@attrs.define(eq=False)
class Supervisor:
    """The register of all supervised children, for APIs and metrics. A child that has ended leaves it."""

    rng: Random = attrs.field(factory=Random)
    children: list[Supervised] = attrs.field(factory=list)
    ended_restarts: int = 0
    """Restarts of children that have left."""

    @property
    def restarts(self) -> int:
        """Of all children since the beginning: never decreases, for counters."""
        return self.ended_restarts + sum(child.restarts for child in self.children)


async def supervise(
    name: str,
    fn: Child,
    *,
    registry: Supervisor,
    policy: RestartPolicy = PERMANENT,
    task_status: trio.TaskStatus[Supervised] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run `fn` for as long as this call lives; returns only when `fn` returns `FINISHED`.

    With `nursery.start` the value is the `Supervised`, given before the first run begins. Cancelled: cancels the run,
    waits for it, and re-raises; an error that the run raises while it is being cancelled is logged and not raised.
    """
    child = Supervised(name, trio.current_time())
    registry.children.append(child)
    task_status.started(child)
    try:
        while await _run(child, fn, policy) is not FINISHED:
            await _pause(child, policy, registry.rng)
        child._enter(ChildState.FINISHED)
    finally:
        if child.state is not ChildState.FINISHED:
            child._enter(ChildState.STOPPED)
        registry.children.remove(child)
        registry.ended_restarts += child.restarts


async def _run(child: Supervised, fn: Child, policy: RestartPolicy) -> object:
    """One life. What `fn` returned, or None after a fault."""
    child._enter(ChildState.RUNNING)
    result: object = None

    async def life() -> None:
        nonlocal result
        result = await fn()

    try:
        async with trio.open_nursery() as nursery:  # noqa: ASYNC112  (a task of its own has the child's name)
            nursery.start_soon(life, name=child.name)
    except* Exception as group:
        _blame(child, _innermost(group), policy)
    else:
        if result is not FINISHED:
            _blame(child, None, policy)
    return result


async def _pause(child: Supervised, policy: RestartPolicy, rng: Random) -> None:
    delay = policy.delay(child.streak - 1, rng)
    child._enter(ChildState.WAITING)
    await trio.sleep(delay)
    child.restarts += 1
    log.info("child.restarted", child=child.name, restarts=child.restarts, after_s=round(delay, 3))


def _blame(child: Supervised, error: BaseException | None, policy: RestartPolicy) -> None:
    now = trio.current_time()
    ran_s = now - child.since
    child.streak = 1 if ran_s >= policy.healthy_s else child.streak + 1
    child.last_error = describe(error) if error is not None else "returned although it should not"
    child.last_error_at = now
    log.error("child.crashed", child=child.name, error=child.last_error, ran_s=round(ran_s, 3), streak=child.streak,
              exc_info=error)  # fmt: skip


def _innermost(error: BaseException) -> BaseException:
    """A group of one says no more than what is in it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def describe(error: BaseException) -> str:
    """Type and message on one line, scrubbed of keys, at most 300 characters."""
    return scrub(f"{type(error).__name__}: {error}", MAX_ERROR_CHARS)
