"""What was asked for on the command line, checked before anything is done: which rows, which node, how much of it."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import Final

import attrs

from lasso_trio.check import checklist
from lasso_trio.check.reach import fault_of_header, fault_of_url
from lasso_trio.check.row import Need, Row
from lasso_trio.errors import ConfigError, Problem

STDIN: Final = "-"


def _trimmed(url: str | None) -> str | None:
    return None if url is None else url.rstrip("/")


def _all_trimmed(urls: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(url.rstrip("/") for url in urls)


@attrs.frozen
class Order:
    """The options as click read them; seconds. Raises ConfigError with everything that is wrong."""

    url: str | None = attrs.field(default=None, converter=_trimmed)
    ops_url: str | None = attrs.field(default=None, converter=_trimmed)
    public_url: str | None = attrs.field(default=None, converter=_trimmed)
    regions: tuple[str, ...] = attrs.field(default=(), converter=_all_trimmed)
    profile: str | None = None
    chain: str | None = None
    log: str | None = None
    """A file; `-` is stdin."""
    source: Path | None = None
    runbook: Path | None = None
    headers: tuple[str, ...] = attrs.field(default=(), repr=False)
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    load: bool = False
    """More calls at once than is polite may be made, to exceed a client limit."""
    load_calls: int = 1000
    concurrency: int = 20
    timeout: float = 10.0
    as_json: bool = False
    fix_hints: bool = False
    strict: bool = False

    def __attrs_post_init__(self) -> None:
        if problems := tuple(self._problems()):
            raise ConfigError([Problem("lasso check", None, problem) for problem in problems])

    @property
    def rows(self) -> tuple[Row, ...]:
        return checklist.chosen(checklist.ids(self.only), checklist.ids(self.skip))

    @property
    def wants(self) -> frozenset[Need]:
        return frozenset[Need]().union(*(row.wants for row in self.rows))

    @property
    def header_pairs(self) -> dict[str, str]:
        return {name.strip().lower(): value.strip() for name, _, value in (h.partition(":") for h in self.headers)}

    def _problems(self) -> Iterator[str]:
        yield from checklist.unknown([*checklist.ids(self.only), *checklist.ids(self.skip)])
        urls = {"--url": self.url, "--ops-url": self.ops_url, "--public-url": self.public_url}
        named = [(name, url) for name, url in urls.items() if url is not None]
        for name, url in (*named, *(("--region", url) for url in self.regions)):
            if fault := fault_of_url(url):
                yield f"{name} {fault}"
        if "" in (self.profile, self.chain):
            yield "--profile and --chain must name something"
        if self.log not in (None, STDIN) and not Path(str(self.log)).is_file():
            yield f"--log: there is no file {self.log}"
        if self.runbook is not None and not self.runbook.is_file():
            yield f"--runbook: there is no file {self.runbook}"
        yield from (f"--header {fault}" for fault in map(fault_of_header, self.headers) if fault)
        if not isfinite(self.timeout):
            yield "--timeout must be a number of seconds"
        if not self.rows:
            yield "no check is left"
