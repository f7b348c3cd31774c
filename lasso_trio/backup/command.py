"""The two commands: gather or put back, and say in a few lines what was done and what is still needed."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from lasso_trio import __version__
from lasso_trio.backup import folder, manifest
from lasso_trio.backup.archive import pack, unpack
from lasso_trio.backup.literal_keys import literal_keys
from lasso_trio.backup.outside_files import outside_files
from lasso_trio.errors import LassoError

STDOUT: Final = "-"
PRIVATE: Final = 0o600


def backup(directory: Path, target: str | None, now: datetime | None = None) -> None:
    """Archive `directory` into the file `target` (`-`: standard output; None: a name with today's date).

    Raises ConfigError, BadArchive or OSError.
    """
    now = now or datetime.now(UTC)
    files = folder.read(directory)
    described = manifest.describe(files, now.isoformat(timespec="seconds"), __version__)
    packed = pack(described, files)
    if target == STDOUT:
        sys.stdout.buffer.write(packed)
    else:
        target = target or f"lasso-profiles-{now:%Y%m%dT%H%M%SZ}.tar.gz"
        folder.put(Path(target), packed, PRIVATE)
    _say(f"{len(files)} file{_s(files)} of {directory} → {'standard output' if target == STDOUT else target}")
    if described.variables:
        _say(f"needs, and does not hold: {' '.join(described.variables)}")
    for place in literal_keys(files):
        _say(f"warning: {place}: this seems to be or to hold a key; it is in the archive. ${{NAME}} keeps keys out")
    for place in outside_files(files):
        _say(f"warning: {place} is not in {directory}, so not in the archive: keep it as well")


def restore(source: Path, directory: Path, environ: Mapping[str, str], *, force: bool, dry_run: bool) -> None:
    """Put an archive's files into `directory`. Raises BadArchive, LassoError or OSError, before anything is changed."""
    described, files = unpack(source.read_bytes())
    plan = folder.plan(directory, files)
    _say(f"archived {described.created} by {described.version}: {len(files)} file{_s(files)}")
    for what, names in (("new", plan.new), ("changed", plan.changed), ("as it is", plan.equal), ("kept", plan.others)):
        for name in names:
            _say(f"  {what:9} {name}")
    missing = [name for name in described.variables if not environ.get(name, "").strip()]
    if missing:
        _say(f"not set here, and needed: {' '.join(missing)}")
    if dry_run:
        return
    if plan.changed and not force:
        raise LassoError(f"{_names(plan.changed)} would be written over: --force does so")
    folder.write(directory, files, plan.new + plan.changed)
    _say(f"restored to {directory}; `lasso validate {directory}` checks it")


def _names(names: Collection[str]) -> str:
    return ", ".join(names)


def _s(things: Collection[object]) -> str:
    return "" if len(things) == 1 else "s"


def _say(line: str) -> None:
    click.echo(line, err=True)
