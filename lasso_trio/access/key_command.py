"""`lasso key`: make a key, make the entry of one that exists, list who has one.

A key is printed once, by `new`, and read from standard input by `hash`: it is in no file, no argument and no history.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

if TYPE_CHECKING:
    from lasso_trio.config.access import ApiKey, Names
    from lasso_trio.config.profile import Profile

MISCONFIGURED: Final = 2
COLUMNS: Final = ("PROFILE", "KEY", "STATE", "RPS", "METHODS", "CHAINS", "EXPIRES")


@click.group()
def key() -> None:
    """API keys of a profile's clients.

    Exit codes: 0; 2 the profiles or the command line are wrong.
    """


Command = TypeVar("Command", bound=Callable[..., None])
Terms = Mapping[str, str | int | None]


def _with_terms(command: Command) -> Command:
    """The options that say what a key may do."""
    for option in (
        click.option("--expires", metavar="DATE", help="2027-01-31, or 2027-01-31T12:00:00Z. Default: never."),
        click.option("--chains", metavar="NAME[,NAME]", help="Where. Default: every chain of the profile."),
        click.option("--methods", metavar="GLOB[,GLOB]", help="What it may call. Default: everything."),
        click.option("--burst", type=click.IntRange(1), help="Calls at once. Default: as --rps."),
        click.option("--rps", type=click.IntRange(1), help="Calls per second. Default: its address's limit."),
    ):
        command = option(command)
    return command


@key.command()
@click.option("--id", "id_", default="", help="Its name in log lines and metrics. Default: made up.")
@_with_terms
def new(id_: str, **terms: str | int | None) -> None:
    """Make a key: print it, this once, and the entry for `auth.keys`."""
    from secrets import token_hex

    from lasso_trio.access.api_key import made

    _check(terms)
    try:
        text = made(id_ or f"key-{token_hex(4)}")
    except ValueError as fault:
        raise click.BadParameter(str(fault), param_hint="--id") from None
    click.echo("The key. It is shown this once; only its hash is kept:\n")
    click.echo(f"    {text}\n\nFor `auth.keys` of the profile:\n")
    click.echo(_entry(text, terms), nl=False)


@key.command("hash")
@_with_terms
def hash_(**terms: str | int | None) -> None:
    """Print the entry of a key that exists, which is read from standard input."""
    from lasso_trio.access.api_key import id_of

    _check(terms)
    hidden = sys.stdin.isatty()
    text = click.prompt("Key", hide_input=True, err=True) if hidden else sys.stdin.readline()
    text = text.strip()
    if id_of(text) is None:
        raise click.UsageError("that is no key as `lasso key new` makes them")
    click.echo(_entry(text, terms), nl=False)


@key.command("list")
@click.argument("directory", required=False, type=click.Path(path_type=Path))
def list_(directory: Path | None) -> None:
    """Show who has a key, and what it may do.

    DIRECTORY: as --profiles of `lasso serve`.
    """
    with _explained():
        profiles = _profiles(directory)
    rows = [COLUMNS, *rows_of(profiles.values(), datetime.now(UTC).timestamp())]
    widths = [max(len(row[n]) for row in rows) for n in range(len(COLUMNS))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def rows_of(profiles: Iterable[Profile], now: float) -> Iterator[tuple[str, ...]]:
    """A row for each key. `now`: seconds since 1970."""
    for profile in profiles:
        for entry in () if profile.access.auth is None else profile.access.auth.keys:
            yield (profile.slug, *_row(entry, now))


def _row(entry: ApiKey, now: float) -> tuple[str, ...]:
    terms = entry.terms
    state = "disabled" if entry.disabled else "expired" if now >= entry.expires else "good"
    expires = "never" if entry.expires == inf else f"{datetime.fromtimestamp(entry.expires, UTC):%Y-%m-%d %H:%M}Z"
    rps = "-" if terms.rps is None else f"{terms.rps}/{terms.burst or terms.rps}"
    return entry.id, state, rps, _shown(terms.methods), _shown(terms.chains), expires


def _shown(names: Names) -> str:
    return ",".join((*names.allow, *(f"!{name}" for name in names.deny))) or "none"


def _check(terms: Terms) -> None:
    if terms["burst"] and not terms["rps"]:
        raise click.UsageError("--burst needs --rps")
    try:
        datetime.fromisoformat(str(terms["expires"] or "2027-01-31"))
    except ValueError:
        raise click.BadParameter("write 2027-01-31 or 2027-01-31T12:00:00Z", param_hint="--expires") from None


def _entry(text: str, terms: Terms) -> str:
    """YAML for a list of keys."""
    from lasso_trio.access.api_key import digest_of, id_of

    lines = [f"- id: {id_of(text)}", f"  hash: sha256:{digest_of(text)}"]
    lines += [f"  {name}: {terms[name]}" for name in ("rps", "burst", "expires") if terms[name] is not None]
    for name in ("methods", "chains"):
        if terms[name]:
            words = ", ".join(f'"{word.strip()}"' for word in str(terms[name]).split(","))
            lines.append(f"  {name}: [{words}]")
    return "".join(f"{line}\n" for line in lines)


@contextmanager
def _explained() -> Iterator[None]:
    from lasso_trio.errors import ConfigError

    try:
        yield
    except ConfigError as fault:
        for problem in fault.problems:
            click.echo(str(problem), err=True)
        sys.exit(MISCONFIGURED)


def _profiles(directory: Path | None) -> Mapping[str, Profile]:
    from lasso_trio.config.environment import with_dotenv
    from lasso_trio.config.loader import load_profiles, usual_directory

    environ = with_dotenv(os.environ, Path.cwd())
    named = environ.get("LASSO_PROFILES_DIR")
    return load_profiles(directory or (Path(named) if named else usual_directory()), environ)
