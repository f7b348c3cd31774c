from __future__ import annotations

import attrs
import click
from click.testing import CliRunner

from lasso_trio.check.options import OPTIONS, check_options
from lasso_trio.check.order import Order


def test_every_option_is_one_that_an_order_knows() -> None:
    @click.command()
    @check_options
    def command(**options: object) -> None:
        click.echo(" ".join(options))

    given = set(CliRunner().invoke(command).output.split())
    assert given - {"directory", "listing"} == {field.name for field in attrs.fields(Order)}
    assert len(given) == len(OPTIONS)
