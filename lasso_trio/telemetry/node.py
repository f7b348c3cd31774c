"""What the node says of itself: id, uptime, readiness, and the process' own figures."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

import attrs
import trio

_PAGE_MIB: Final = resource.getpagesize() / (1024 * 1024)


class Readiness(StrEnum):
    """Only `READY` answers 200 on `/api/ready`."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@attrs.define(eq=False)
class Node:
    """`started`: trio's clock. CPU percent is of one core, since the last time somebody asked, at first since then.

    `restarts`: how often a supervised child had to be started again. `shared`: what is to be said of what the node
    shares with others, at a time; None: it shares nothing.
    """

    id: str
    started: float
    readiness: Readiness = Readiness.STARTING
    restarts: Callable[[], int] = int
    shared: Callable[[float], dict[str, Any]] | None = None
    _cpu_s: float = attrs.field(factory=_cpu_seconds)
    _asked: float = attrs.field(init=False)

    @_asked.default
    def _since_start(self) -> float:
        return self.started

    def uptime_s(self, now: float) -> float:
        return now - self.started

    def cpu_percent(self, now: float) -> float:
        cpu_s = _cpu_seconds()
        since, self._asked = self._asked, now
        spent, self._cpu_s = cpu_s - self._cpu_s, cpu_s
        return round(100.0 * spent / (now - since), 1) if now > since else 0.0


def memory_mib() -> float:
    """Resident memory. Falls back to the peak where /proc is missing."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return round(int(statm.read().split()[1]) * _PAGE_MIB, 1)
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return round(peak / (1024 * 1024 if os.uname().sysname == "Darwin" else 1024), 1)


def task_figures() -> tuple[int, int]:
    """Tasks alive, and tasks that are ready to run but have not yet."""
    statistics = trio.lowlevel.current_statistics()
    return statistics.tasks_living, statistics.tasks_runnable
