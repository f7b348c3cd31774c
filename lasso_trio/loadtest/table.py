"""A tally for the terminal: what to look at first on top, then what failed, then the shape of the latencies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.bar import Bar
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lasso_trio.loadtest.order import Order
from lasso_trio.loadtest.outcome import OK
from lasso_trio.loadtest.tally import QUANTILES, Tally

WIDE: Final = 100
BAR: Final = 40
BUSY: Final = 0.85
LATE_S: Final = 0.01


def show(console: Console, order: Order, tally: Tally) -> None:
    console.print(Text(f"{order.endpoint.origin}: {tally.calls} calls in {tally.seconds:.2f} s, {_manner(order)}"))
    console.print(_headline(tally))
    if tally.failed:
        console.print(_failures(tally))
    if tally.latency.count:
        console.print(_shape(tally))
    for warning in warnings(order, tally):
        console.print(Text(f"note: {warning}", style="yellow"))


def warnings(order: Order, tally: Tally) -> Iterator[str]:
    """What makes the figures worth less than they look."""
    if tally.busy > BUSY:
        yield f"measuring took {tally.busy:.0%} of a core: the target may be faster than this"
    if order.rate is not None and tally.late_s > LATE_S:
        yield (
            f"a due call waited {tally.late_s * 1000:.0f} ms for one of {order.clients} clients; that is in its latency"
        )


def _manner(order: Order) -> str:
    return f"{order.clients} clients" if order.rate is None else f"{order.rate:g} due a second"


def _headline(tally: Tally) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    failed = Text(f"{tally.failed_share:.2%}", style="red" if tally.failed else "green")
    for name in ("calls/s", "failed", *(f"p{q * 100:g}" for q in QUANTILES), "max"):
        table.add_column(name, justify="right")
    times = [_time(tally.latency.quantile(q)) for q in QUANTILES]
    slowest = _time(tally.slowest_s if tally.latency.count else None)
    table.add_row(f"{tally.per_second:.1f}", failed, *times, slowest)
    return table


def _failures(tally: Tally) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("failed with")
    table.add_column("calls", justify="right")
    for outcome, calls in tally.outcomes.most_common():
        if outcome != OK:
            table.add_row(Text(outcome, style="red"), str(calls))
    return table


def _shape(tally: Tally) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
    bars = tally.bars()
    most = max(calls for _, _, calls in bars)
    for low, high, calls in bars:
        table.add_row(Text(f"{_time(low)} …{_time(high)}"), Bar(most, 0, calls, width=BAR), str(calls))
    return table


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    ms = seconds * 1000
    return f"{ms:.2f} ms" if ms < 10 else f"{ms:.1f} ms" if ms < 1000 else f"{seconds:.2f} s"
