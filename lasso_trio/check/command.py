"""The command behind the command line: run the check, show progress on stderr, print the report. The exit code is its
answer: 0; 1 a row failed; 2 not all that was asked for could be looked at, or it was broken off.

Ctrl-C, SIGTERM and a terminal that goes away end it with what is known. While a cordoned provider may have to be taken
back, which has its time limit, a second one changes nothing; after that it ends at once.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from math import inf
from typing import Final

import trio
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lasso_trio.check.cordoning import RESTORE_S
from lasso_trio.check.order import Order
from lasso_trio.check.report import Report
from lasso_trio.check.run import Tell, check
from lasso_trio.check.setup import Setup
from lasso_trio.check.table import listing, show
from lasso_trio.errors import ConfigError

PATIENCE_S: Final = RESTORE_S + 1.0
"""After the first signal."""
WIDE: Final = 140
"""Columns where there is no terminal that has a width."""


def execute(order: Order, setup: Setup) -> int:
    """Check and print. Raises ConfigError when nobody knows the profile or chain that was named."""
    with _progress() as tell:
        report = trio.run(partial(_interruptible, order, setup, tell))
    if isinstance(report, ConfigError):
        raise report
    if order.as_json:
        sys.stdout.write(json.dumps(report.to_json(), indent=2) + "\n")
    else:
        show(_console(), report, fix_hints=order.fix_hints)
    return report.exit_code


def list_rows(order: Order) -> int:
    listing(_console(), order.rows)
    return 0


async def _interruptible(order: Order, setup: Setup, tell: Tell) -> Report | ConfigError:
    """The error is returned: raised, it would come out of the nursery in a group."""
    stop = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        await nursery.start(_watch, stop, tell)
        try:
            found: Report | ConfigError = await check(order, setup, tell, stop)
        except ConfigError as fault:
            found = fault
        nursery.cancel_scope.cancel("it is done")
    return found


async def _watch(stop: trio.CancelScope, tell: Tell, *, task_status: trio.TaskStatus[None]) -> None:
    patient_until = inf
    with trio.open_signal_receiver(*_ending()) as signals:
        task_status.started()
        async for number in signals:
            if not stop.cancel_called:
                patient_until = trio.current_time() + PATIENCE_S
                stop.cancel("a signal")
            elif trio.current_time() < patient_until:
                tell("ending; a cordoned provider is taken back first")
            else:
                signal.signal(number, signal.SIG_DFL)
                signal.raise_signal(number)


def _ending() -> list[signal.Signals]:
    """Less a hangup that we were started to ignore (nohup)."""
    all_ = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    return [each for each in all_ if each is not signal.SIGHUP or signal.getsignal(each) is not signal.SIG_IGN]


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)


@contextmanager
def _progress() -> Iterator[Tell]:
    """What is being done, on a terminal; silence elsewhere."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("", total=None)
        yield lambda what: bars.update(task, description=what)
