"""A worker's part in the node's metrics: it tells the parent what it counted, and shows the sum of all as its own page.

Asking costs nothing on a call's path: a page is read as any other, on the loop in slices, and packed in a thread.
"""

from __future__ import annotations

from typing import Final

import attrs
import trio

from lasso_trio.metrics.exporter import Exporter, NoPage, uncollected
from lasso_trio.metrics.workers import add_shares, read_workers
from lasso_trio.telemetry.prometheus import Distribution, Family, Kind, Table, Value, add_process
from lasso_trio.workers import told_page
from lasso_trio.workers.bus import PARENT, Bus
from lasso_trio.workers.frame import MAX_PAYLOAD
from lasso_trio.workers.page_office import PART, WHOLE
from lasso_trio.workers.told_page import Page, Spread, Told, ToldFamily
from lasso_trio.workers.topics import BusFault

PATIENCE_S: Final = 5.0


@attrs.frozen(eq=False)
class MetricsShare:
    """Made before the bus runs."""

    bus: Bus
    exporter: Exporter

    def __attrs_post_init__(self) -> None:
        self.bus.answer(PART, self._part)
        self.exporter.whole = self.whole

    async def _part(self, sender: int, payload: bytes) -> bytes:
        with uncollected():
            table = await self.exporter.read()
            part = await trio.to_thread.run_sync(_packed, table, abandon_on_cancel=True)
        if len(part) > MAX_PAYLOAD:
            raise BusFault(f"a page of {len(part)} bytes is too large")
        return part

    async def whole(self) -> Table:
        """Of all workers. Raises NoPage when the parent does not answer: one worker's figures are not the node's."""
        try:
            page = await self.bus.ask(WHOLE, b"", PARENT, PATIENCE_S)
        except BusFault as fault:
            raise NoPage(str(fault)) from fault
        return await trio.to_thread.run_sync(_table, page, abandon_on_cancel=True)


def _packed(table: Table) -> bytes:
    add_process(table)
    add_shares(table)
    return told_page.packed(page_of(table))


def _table(data: bytes) -> Table:
    whole = told_page.unpacked_whole(data)
    table = table_of(whole.page)
    read_workers(whole.seats, whole.cpu_s, whole.resident_bytes, table)
    return table


def page_of(table: Table) -> Page:
    """As values. Takes its time."""
    return [
        _family(family, [(labels, _told(value)) for labels, value in told_page.paced(rows)])
        for family, rows in table.rows.items()
    ]


def _family(family: Family, rows: list[tuple[tuple[str, ...], Told]]) -> ToldFamily:
    return ToldFamily(family.name, family.kind, family.labels, family.help, family.across, rows)


def _told(value: Value) -> Told:
    if not callable(value):
        return float(value)
    found = value()
    return Spread(found.bounds, tuple(found.counts), found.total)


def table_of(page: Page) -> Table:
    """To be written. The page is one that somebody else has added up."""
    table = Table()
    for told in page:
        family = Family(told.name, Kind(told.kind), told.labels, told.help, told.across)
        for labels, value in told_page.paced(told.rows):
            table.add(family, _value(value), *labels)
    return table


def _value(told: Told) -> Value:
    if isinstance(told, Spread):
        found = Distribution(told.bounds, told.counts, told.total)
        return lambda: found
    return told
