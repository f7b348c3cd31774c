"""Findings for people: one table per chain, facts downwards and endpoints across, and below it what needs words.

What endpoints said is text, never markup. `rich` is imported here and in `command` only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lasso_trio.probe.finding import Bound, Finding
from lasso_trio.probe.methods import Support, lacking
from lasso_trio.probe.proposal import keeps_all

PER_TABLE: Final = 4
UNKNOWN: Final = "-"
WIDE: Final = 120
"""Columns where there is no terminal that has a width."""


def show(console: Console, findings: Sequence[Finding]) -> None:
    """Print them all, chain by chain."""
    ordered = sorted(findings, key=_chain_of)
    for chain, its in groupby(ordered, key=_chain_of):
        group = list(its)
        for start in range(0, len(group), PER_TABLE):
            console.print(_table(chain, group[start : start + PER_TABLE]))
        for line in (line for found in group for line in notes(found)):
            console.print(Text(line))


def notes(found: Finding) -> Iterator[str]:
    """What a cell has no room for, one line each."""
    for what in _complaints(found):
        yield f"{found.name}: {what}"
    categories, methods = lacking(found.methods)
    if categories:
        yield f"{found.name}: lacks {', '.join(categories)} altogether"
    if methods:
        yield f"{found.name}: lacks {', '.join(methods)}"


def _complaints(found: Finding) -> Iterator[str]:
    if found.problem:
        yield found.problem
    if found.wrong_chain:
        expected = "" if found.expected_chain_id is None else f", and {found.expected_chain_id} was expected"
        yield f"serves chain {' and '.join(map(str, found.chain_ids))}{expected}"
    if found.websocket is not None and found.websocket.problem:
        yield f"WebSocket: {found.websocket.problem}"
    for what, bound in (("state", found.archive), ("eth_getLogs", found.log_range), ("batch", found.batch)):
        if bound is not None and bound.why:
            yield f"{what}: {bound.why}"


def _chain_of(found: Finding) -> str:
    return found.chain or ("no answer" if found.chain_id is None else f"chain {found.chain_id}")


def _table(chain: str, findings: Sequence[Finding]) -> Table:
    table = Table(title=Text(chain, style="bold"), title_justify="left", show_lines=False)
    table.add_column("")
    for found in findings:
        table.add_column(Text(found.name, style="green" if found.ok else "red"), overflow="fold")
    for fact, cell in FACTS:
        cells = [cell(found) for found in findings]
        if any(text != UNKNOWN for text in cells):
            table.add_row(fact, *map(Text, cells))
    return table


def _verdict(found: Finding) -> str:
    if found.wrong_chain:
        return "WRONG CHAIN"
    return "answers" if found.ok else "FAILED"


def _latency(found: Finding) -> str:
    its = found.latency
    return UNKNOWN if its is None else f"{its.p50_ms:g} / {its.p99_ms:g} ms ({its.samples})"


def _head(found: Finding) -> str:
    if found.head is None:
        return UNKNOWN
    return str(found.head.number) + ("" if found.lag is None else f" (lag {found.lag})")


def _clock(found: Finding) -> str:
    if found.head is None:
        return UNKNOWN
    age, skew = found.head.age_s, found.head.skew_s
    parts = ("" if age is None else f"block {age:+g} s old", "" if skew is None else f"Date {skew:+g} s")
    return ", ".join(filter(None, parts)) or UNKNOWN


def _archive(found: Finding) -> str:
    if found.archive is None or found.archive.limit is None:
        return UNKNOWN
    return "full" if keeps_all(found) else f"last {_size(found.archive)} blocks"


def _size(bound: Bound) -> str:
    return f"{'' if bound.exact else '~'}{bound.limit}"


def _logs(found: Finding) -> str:
    its = found.log_range
    if its is None or its.limit is None:
        return UNKNOWN
    blocks = f"all of {its.limit} blocks" if its.open else f"{_size(its)} blocks"
    return ", ".join([blocks, *(f"{value} {kind}" for kind, value in sorted(found.learned.items()))])


def _batch(found: Finding) -> str:
    if found.batch is None:
        return UNKNOWN
    if found.batch.limit is None:
        return "none"
    return f"{found.batch.limit}{' or more' if found.batch.open else ''}"


def _methods(found: Finding) -> str:
    if not found.methods:
        return UNKNOWN
    return ", ".join(f"{count} {support}" for support in Support if (count := found.count(support)))


def _websocket(found: Finding) -> str:
    its = found.websocket
    if its is None or not its.connected:
        return UNKNOWN if its is None else "no"
    if not its.subscribed:
        return "connects, no newHeads"
    return "newHeads" + ("" if its.first_head_s is None else f" after {its.first_head_s:g} s")


def _http(found: Finding) -> str:
    its = found.http
    return UNKNOWN if its is None else its.version + (", gzip" if its.gzip else "")


def _spent(found: Finding) -> str:
    its = found.spent
    throttled = f", throttled {its.throttled}×" if its.throttled else ""
    return f"{its.requests} requests, {its.calls} calls{throttled}"


FACTS: Final[Sequence[tuple[str, Callable[[Finding], str]]]] = (
    ("verdict", _verdict),
    ("URL", lambda found: found.shown),
    ("chain id", lambda found: UNKNOWN if found.chain_id is None else str(found.chain_id)),
    ("client", lambda found: found.client or UNKNOWN),
    ("latency p50 / p99", _latency),
    ("head", _head),
    ("clock", _clock),
    ("state", _archive),
    ("eth_getLogs", _logs),
    ("batch", _batch),
    ("methods", _methods),
    ("WebSocket", _websocket),
    ("HTTP", _http),
    ("spent", _spent),
)
