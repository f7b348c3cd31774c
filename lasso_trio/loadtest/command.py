"""The command behind the command line: measure, show progress on stderr, print and draw. Ctrl-C shows what there is."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import trio
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lasso_trio.loadtest import plot
from lasso_trio.loadtest.drive import Tell, drive
from lasso_trio.loadtest.order import Order
from lasso_trio.loadtest.table import WIDE, show
from lasso_trio.loadtest.tally import Tally

FAILED_SHARE: Final = 0.01
"""More than this failed: the exit code is 1. The error rate that the production checklist asks for."""


@attrs.frozen
class Output:
    as_json: bool = False
    plot: Path | None = None


def execute(order: Order, output: Output) -> int:
    """Measure and print; the exit code. Raises ConfigError for a plot that cannot be, OSError when writing fails."""
    if output.plot is not None:
        plot.check(output.plot)
    tally = Tally()
    with _progress(order) as tell:
        try:
            trio.run(drive, order, tally, tell)
        except KeyboardInterrupt:
            pass
        except BaseExceptionGroup as group:  # the same, from inside of the nursery
            if group.split(KeyboardInterrupt)[1] is not None:
                raise
    _print(order, tally, output)
    return 0 if tally.failed_share <= FAILED_SHARE else 1


def _print(order: Order, tally: Tally, output: Output) -> None:
    if output.as_json:
        sys.stdout.write(json.dumps({"target": order.endpoint.origin, **tally.to_json()}, indent=2) + "\n")
    else:
        show(Console(width=None if sys.stdout.isatty() else WIDE, highlight=False), order, tally)
    if output.plot is not None and tally.latency.count:
        plot.plot(output.plot, tally, f"{order.endpoint.origin}: {tally.calls} calls, {tally.per_second:.0f}/s")


@contextmanager
def _progress(order: Order) -> Iterator[Tell]:
    """A bar on a terminal, silence elsewhere."""
    console, total = Console(stderr=True), order.calls
    if order.duration_s is not None and order.rate is not None:
        total = min(total, round(order.rate * order.duration_s))
    columns = (TextColumn("calls"), BarColumn(), TextColumn("{task.completed}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        known = order.duration_s is None or order.rate is not None
        task = bars.add_task("", total=total if known else None)
        yield lambda calls: bars.advance(task, calls)
