"""The `lasso` command: arguments in, exit code out.

Exit codes: 0; 1 when running failed; 2 when the configuration is wrong, with every problem on stderr. What a command
needs is imported when it runs, so that `lasso version` does not pay for a server. The work itself is elsewhere; this
module only gathers the environment, the settings and the profiles, and prints.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from lasso_trio import __version__
from lasso_trio.access.key_command import key
from lasso_trio.check.options import check_options

if TYPE_CHECKING:
    from lasso_trio.config.profile import Profile
    from lasso_trio.config.settings import Settings
    from lasso_trio.errors import Problem

T = TypeVar("T")

FAILED: Final = 1
MISCONFIGURED: Final = 2
SECRET_BYTES: Final = 64
WORKER: Final = "_LASSO_WORKER"
"""In the environment of workers: see `workers.post`."""
STANDBY: Final = "_LASSO_STANDBY"
"""In that of a process that may become one: see `workers.standby`."""
FAULTS_BELOW: Final = 5
"""The demo sets its faults on the port so far below its providers' first."""

_directory = click.Path(path_type=Path)
_port = click.IntRange(0, 65_535)


def _with_room(_ctx: click.Context, _parameter: click.Parameter, port: int) -> int:
    if 0 < port <= FAULTS_BELOW:
        raise click.BadParameter(f"must be 0, or more than {FAULTS_BELOW}")
    return port


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(version)s")
def main() -> None:
    """A smart proxy between applications and Ethereum JSON-RPC providers.

    Exit codes: 0; 1 running failed; 2 the configuration or the command line is wrong.
    """
    _fill_standard_streams()


@main.command()
@click.option("--host", help="Address to listen on. Default: 127.0.0.1, or 0.0.0.0 when LASSO_ENV=prod.")
@click.option("--port", type=_port, help="Port to listen on. Default: $PORT, or 4000.")
@click.option("--profiles", "directory", type=_directory, help="Default: $LASSO_PROFILES_DIR, or ./profiles.")
def serve(host: str | None, port: int | None, directory: Path | None) -> None:
    """Run the proxy until it is told to stop.

    Ctrl-C or SIGTERM lets calls in flight finish; a second one ends at once.
    """
    with _exit_codes():
        if STANDBY in os.environ:
            from lasso_trio.workers.standby import become_worker

            if not become_worker(os.environ):
                return
        settings, profiles = _configuration(directory)
        settings = _chosen(settings, host, port)
        if settings.workers > 1 and WORKER not in os.environ:
            from lasso_trio.workers import parent

            sys.exit(parent.serve(settings))
        from lasso_trio import serving
        from lasso_trio.config.profile_set import ProfileSet

        sys.exit(serving.serve(settings, ProfileSet(profiles)))


@main.command()
@click.option("--host", help="Address to listen on. Default: 127.0.0.1.")
@click.option("--port", type=_port, help="Port to listen on. Default: $PORT, or 4000.")
@click.option(
    "--base-port",
    type=click.IntRange(0, 65_532),
    callback=_with_room,
    default=18_545,
    show_default=True,
    help="First of the providers' four ports; what they do wrong is set five below it. 0: any that are free.",
)
def demo(host: str | None, port: int | None, base_port: int) -> None:
    """Run the proxy over a simulated chain; no network is needed.

    Four simulated providers with different faults are started on ports of their own.
    """
    with _exit_codes():
        import attrs

        from lasso_trio import demo as demonstration
        from lasso_trio.config.settings import Settings

        settings = _chosen(Settings.from_env(_environment()), host or "127.0.0.1", port)
        _warn(settings.warnings)
        # PHX_SERVER is for nodes: a demo that cannot be called would be none.
        sys.exit(demonstration.demo(attrs.evolve(settings, listen=True), base_port))


@main.command()
@click.argument("directory", required=False, type=_directory)
def validate(directory: Path | None) -> None:
    """Check environment and profiles; list all that is wrong.

    DIRECTORY: as --profiles of `lasso serve`.
    """
    with _exit_codes():
        _, profiles = _configuration(directory)
        for profile in profiles.values():
            click.echo(_summary(profile))


@main.command()
@click.argument("directory", required=False, type=_directory)
def dump(directory: Path | None) -> None:
    """Print settings and profiles with every default.

    Secrets are masked. DIRECTORY: as --profiles of `lasso serve`.
    """
    with _exit_codes():
        settings, profiles = _configuration(directory)
        from lasso_trio.config.dump import dump_profiles, dump_settings

        click.echo(f"{dump_settings(settings)}\n{dump_profiles(profiles.values())}", nl=False)


@main.command()
@click.argument("targets", nargs=-1, metavar="[CHAIN|URL]...")
@click.option("--all", "everything", is_flag=True, help="Every chain of the profile.")
@click.option(
    "--profile", "slug", help="Whose chains. Default: every profile that has the chain; for --all the default."
)
@click.option("--profiles", "directory", type=_directory, help="As for `lasso serve`.")
@click.option(
    "--only", multiple=True, metavar="CHECK[,CHECK]", help="Of: latency head archive logs batch methods websocket."
)
@click.option("--level", type=click.Choice(["critical", "standard", "full"]), default="standard", show_default=True)
@click.option("--timeout", type=click.FloatRange(0.01, 300), default=10.0, show_default=True, help="Seconds a request.")
@click.option(
    "--wait", type=click.FloatRange(0.01, 600), default=15.0, show_default=True, help="Seconds for a new head."
)
@click.option("--samples", type=click.IntRange(1, 1000), default=20, show_default=True, help="Calls for the latency.")
@click.option(
    "--rps", type=click.FloatRange(0.1, 1e6), default=20.0, show_default=True, help="Calls a second an endpoint."
)
@click.option("--json", "as_json", is_flag=True, help="JSON instead of the table.")
@click.option("--write", metavar="FILE", help="Write the proposed providers as a profile; - for stdout.")
def probe(
    targets: tuple[str, ...],
    *,
    slug: str | None,
    directory: Path | None,
    everything: bool,
    **options: Any,  # noqa: ANN401
) -> None:
    """Find out what endpoints can do, by asking them.

    CHAIN: all providers of a chain of the profiles. URL: http(s)://… or ws(s)://…. Exit codes: 0 all answered; 1 one
    failed or serves another chain; 2 the command line or the configuration is wrong.
    """
    with _exit_codes():
        from lasso_trio.probe.request import Request

        request = Request(targets, slug, everything, **options)
        profiles = _configuration(directory)[1] if request.needs_profiles else {}
        sys.exit(request.execute(profiles))


@main.command()
@click.argument("url")
@click.option("-n", "--calls", type=click.IntRange(1, 10**9), help="Default: 1000, or what fits into --duration.")
@click.option("-c", "--clients", type=click.IntRange(1, 10_000), default=10, show_default=True, help="At one time.")
@click.option("--rate", type=click.FloatRange(0.01, 1e6), help="Calls due a second, whatever came of earlier ones.")
@click.option("--duration", type=click.FloatRange(0.1, 86_400), help="Seconds.")
@click.option("--method", default="eth_blockNumber", show_default=True)
@click.option("--params", default="[]", show_default=True, help="JSON.")
@click.option(
    "--request",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with a request or batch, or with one on each line (used in turn).",
)
@click.option("-H", "--header", multiple=True, metavar="'NAME: VALUE'")
@click.option("--timeout", type=click.FloatRange(0.01, 300), default=10.0, show_default=True, help="Seconds a call.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of the table.")
@click.option("--plot", type=_directory, metavar="FILE", help="A picture as well: .svg or .png.")
def bench(*, as_json: bool, plot: Path | None, **options: Any) -> None:  # noqa: ANN401
    """Measure how fast and how reliably URL answers.

    Real calls: they count against limits and bills. Exit codes: 0; 1 more than 1 % of the calls failed; 2 the command
    line is wrong.
    """
    with _exit_codes():
        from lasso_trio.loadtest.command import Output, execute
        from lasso_trio.loadtest.order import Request

        sys.exit(execute(Request(**options).order(), Output(as_json, plot)))


@main.command()
@click.argument("directory", required=False, type=_directory)
@click.option("-o", "--output", metavar="FILE", help="- for stdout. Default: lasso-profiles-<time>.tar.gz.")
def backup(directory: Path | None, output: str | None) -> None:
    """Archive the profiles, with a list of the variables they need.

    The values of variables are never in it. DIRECTORY: as --profiles of `lasso serve`.
    """
    with _exit_codes():
        from lasso_trio.backup import command

        command.backup(_profiles_directory(directory, _environment()), output)


@main.command()
@click.argument("archive", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("directory", required=False, type=_directory)
@click.option("--force", is_flag=True, help="Write over files that differ.")
@click.option("--dry-run", is_flag=True, help="Check the archive and say what would be done.")
def restore(archive: Path, directory: Path | None, *, force: bool, dry_run: bool) -> None:
    """Put archived profiles back.

    A damaged archive changes nothing. DIRECTORY: $LASSO_PROFILES_DIR, or ./profiles.
    """
    with _exit_codes():
        from lasso_trio.backup import command
        from lasso_trio.config.loader import USUAL_DIRECTORY

        environ = _environment()
        target = directory or Path(environ.get("LASSO_PROFILES_DIR") or USUAL_DIRECTORY)
        command.restore(archive, target, environ, force=force, dry_run=dry_run)


@main.command()
@check_options
def check(directory: Path | None, *, listing: bool, **options: Any) -> None:  # noqa: ANN401
    """Walk through the production checklist.

    Exit codes: 0; 1 a check failed; 2 the command line is wrong, not all could be looked at, or it was broken off.
    """
    with _exit_codes():
        from lasso_trio.check import command
        from lasso_trio.check.order import Order
        from lasso_trio.check.setup import Setup

        order = Order(**options)
        if listing:
            sys.exit(command.list_rows(order))
        environ = _environment()
        sys.exit(command.execute(order, Setup.read(environ, _profiles_directory(directory, environ))))


@main.command()
def secret() -> None:
    """Print a fresh value for SECRET_KEY_BASE."""
    click.echo(secrets.token_urlsafe(SECRET_BYTES))


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(__version__)


main.add_command(key)


@contextmanager
def _exit_codes() -> Iterator[None]:
    """Failures that have an explanation become a message and an exit code; others keep their traceback (and exit 1)."""
    from lasso_trio.errors import ConfigError, LassoError

    try:
        yield
    except ConfigError as fault:
        _complain(fault.problems)
        sys.exit(MISCONFIGURED)
    except BrokenPipeError:  # whoever read our output has enough
        raise
    except (LassoError, OSError) as fault:
        click.echo(f"lasso: {fault}", err=True)
        sys.exit(FAILED)


def _configuration(directory: Path | None) -> tuple[Settings, Mapping[str, Profile]]:
    """Settings and profiles, read both whatever is wrong with the other. Raises ConfigError with all problems."""
    from lasso_trio.config.loader import load_profiles
    from lasso_trio.config.settings import Settings
    from lasso_trio.errors import ConfigError

    environ = _environment()
    where = _profiles_directory(directory, environ)
    problems: list[Problem] = []
    settings = _collected(lambda: Settings.from_env(environ), problems)
    profiles = _collected(lambda: load_profiles(where, environ), problems)
    if settings is None or profiles is None:
        raise ConfigError(problems)
    if WORKER not in os.environ:  # the parent has said it
        _warn(settings.warnings)
    import attrs

    return attrs.evolve(settings, profiles_dir=where), profiles


def _profiles_directory(directory: Path | None, environ: Mapping[str, str]) -> Path:
    from lasso_trio.config.loader import usual_directory

    configured = environ.get("LASSO_PROFILES_DIR")
    return directory or (Path(configured) if configured else usual_directory())


def _collected(read: Callable[[], T], problems: list[Problem]) -> T | None:
    from lasso_trio.errors import ConfigError

    try:
        return read()
    except ConfigError as fault:
        problems.extend(fault.problems)
        return None


def _environment() -> Mapping[str, str]:
    from lasso_trio.config.environment import with_dotenv

    return with_dotenv(os.environ, Path.cwd())


def _chosen(settings: Settings, host: str | None, port: int | None) -> Settings:
    """`settings` with what the command line says instead."""
    import attrs

    return attrs.evolve(settings, host=host or settings.host, port=settings.port if port is None else port)


def _fill_standard_streams() -> None:
    """A stream that was closed before we started must not become a socket's number: log lines would be sent there."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number: this one


def _summary(profile: Profile) -> str:
    providers = sum(len(chain.providers) for chain in profile.chains)
    chains = ", ".join(f"{chain.key} ({chain.chain_id})" for chain in profile.chains)
    return f"{profile.slug}: {chains}; {providers} providers: OK"


def _warn(warnings: tuple[Problem, ...]) -> None:
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)


def _complain(problems: tuple[Problem, ...]) -> None:
    for problem in problems:
        click.echo(str(problem), err=True)
    click.echo(f"{len(problems)} problem{'' if len(problems) == 1 else 's'} in the configuration", err=True)
