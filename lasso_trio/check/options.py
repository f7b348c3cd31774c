"""The options of `lasso check`. Imported with every command, so nothing but click is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

_path = click.Path(path_type=Path)
OPTIONS: Final = (
    click.option("--url", help="A running node: also do what needs one. Without it the environment and profiles only."),
    click.option("--profile", help="Whose chain is called. Default: the node's default profile."),
    click.option("--chain", help="Default: the first that the node lists."),
    click.option("--profiles", "directory", type=_path, help="As for `lasso serve`."),
    click.option("--ops-url", help="Where operators' pages are. Default: $LASSO_OPS_PORT of the node, or --url."),
    click.option("--public-url", help="How clients reach the node. Default: $PHX_SCHEME://$PHX_HOST."),
    click.option(
        "--region", "regions", multiple=True, metavar="URL", help="Of each region's node or proxy. Repeatable."
    ),
    click.option("--log", metavar="FILE", help="The node's log; - is stdin."),
    click.option("--source", type=_path, help="Where deploy/ and docs/ are. Default: the checkout this runs from."),
    click.option("--runbook", type=_path, metavar="FILE", help="Your own. Default: docs/runbook.md there."),
    click.option("--header", "-H", "headers", multiple=True, help="'Name: value', sent with each call. Repeatable."),
    click.option("--only", multiple=True, metavar="ID[,ID]", help="Rows (E1, P5) or families (profiles, recovery)."),
    click.option("--skip", multiple=True, metavar="ID[,ID]", help="The same, left out."),
    click.option("--load", is_flag=True, help="For P5: make as many calls at once as it takes, up to 20000."),
    click.option(
        "--load-calls",
        type=click.IntRange(0, 1_000_000),
        default=1000,
        show_default=True,
        help="Of the load test; 0 is none.",
    ),
    click.option("--concurrency", type=click.IntRange(1, 100), default=20, show_default=True, help="Of the load test."),
    click.option(
        "--timeout", type=click.FloatRange(0.01, 60), default=10.0, show_default=True, help="Seconds a request."
    ),
    click.option("--json", "as_json", is_flag=True, help="JSON instead of the table."),
    click.option("--fix-hints", is_flag=True, help="Say what to do, and where it is explained."),
    click.option("--strict", is_flag=True, help="A warning is a failure."),
    click.option("--list", "listing", is_flag=True, help="Print what there is to check."),
)


def check_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`command` with all of them, in this order on its help page."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command
