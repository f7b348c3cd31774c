"""The command behind the command line: run the probe, show progress on stderr, print or write what was found.

The table goes to stdout; where stdout is asked to carry the YAML (`--write -`), the table moves to stderr. Answers with
the exit code: 0 when all endpoints answered, 1 when one failed or serves another chain.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import trio
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lasso_trio.probe.finding import Finding
from lasso_trio.probe.proposal import propose
from lasso_trio.probe.run import Order, Tell, probe
from lasso_trio.probe.table import WIDE, show
from lasso_trio.probe.target import Target

STDOUT: Final = "-"


@attrs.frozen
class Output:
    """`write`: a file for the proposed YAML, `-` for stdout."""

    as_json: bool = False
    write: str | None = None


def execute(targets: Sequence[Target], order: Order, output: Output) -> int:
    """Probe and print. Raises OSError when the file cannot be written."""
    with _progress(targets, order) as tell:
        findings = trio.run(probe, targets, order, tell)
    yaml = propose(list(zip(targets, findings, strict=True)))
    _print(findings, output, yaml)
    if output.write == STDOUT:
        sys.stdout.write(yaml)
    elif output.write is not None:
        Path(output.write).write_text(yaml, encoding="utf-8")
    return 0 if all(found.ok for found in findings) else 1


def _print(findings: Sequence[Finding], output: Output, yaml: str) -> None:
    if output.as_json:
        shape = {"endpoints": [found.to_json() for found in findings], "proposal": yaml}
        sys.stdout.write(json.dumps(shape, indent=2) + "\n")
        return
    stream = sys.stderr if output.write == STDOUT else sys.stdout
    show(Console(file=stream, width=None if stream.isatty() else WIDE, highlight=False), findings)


@contextmanager
def _progress(targets: Sequence[Target], order: Order) -> Iterator[Tell]:
    """Bars on a terminal, silence elsewhere. What `transient` bars leave behind is nothing."""
    columns = (TextColumn("{task.fields[label]}", markup=False), BarColumn(), TextColumn("{task.fields[what]}"))
    console = Console(stderr=True)
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bars:
        tasks = [bars.add_task("", total=order.steps, label=target.name, what="waiting") for target in targets]

        def tell(index: int, steps: int, what: str) -> None:
            if what:
                bars.update(tasks[index], advance=steps, what=what)
            else:
                bars.update(tasks[index], completed=order.steps, what="done")

        yield tell
