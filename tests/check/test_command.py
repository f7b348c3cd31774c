from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable

import pytest
import trio

from lasso_trio.check import command
from lasso_trio.check.command import execute, list_rows
from lasso_trio.check.order import Order
from lasso_trio.check.report import Report, Result
from lasso_trio.check.setup import Setup
from lasso_trio.check.verdict import Verdict, failed, passed
from tests.check.conftest import World
from tests.check.test_table import ROWS

Find = Callable[[Verdict], None]


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch) -> Find:
    """What the check finds of E1, to be said."""

    def find(verdict: Verdict) -> None:
        async def check(order: Order, _: Setup, tell: command.Tell, __: trio.CancelScope) -> Report:
            await trio.lowlevel.checkpoint()
            tell("looking")
            return Report(order.url, (Result(ROWS["E1"], verdict),))

        monkeypatch.setattr(command, "check", check)

    return find


def test_the_table_goes_to_stdout_and_all_is_well(
    finds: Find, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    finds(passed("fine"))
    assert execute(Order(), world.facts.setup) == 0
    out, err = capsys.readouterr()
    assert "fine" in out
    assert (err, "\x1b" in out) == ("", False)


def test_a_failure_is_exit_code_one_and_json_is_alone_on_stdout(
    finds: Find, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    finds(failed("broken", "mend it"))
    assert execute(Order(as_json=True), world.facts.setup) == 1
    row = json.loads(capsys.readouterr().out)
    assert (row["exit_code"], row["checks"][0]["todo"]) == (1, "mend it")


def test_a_signal_ends_it_with_what_is_known(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check(order: Order, _: Setup, __: command.Tell, stop: trio.CancelScope) -> Report:
        with stop:
            os.kill(os.getpid(), signal.SIGINT)
            await trio.sleep_forever()
        return Report(order.url, (Result(ROWS["E1"], passed("fine")),), interrupted=stop.cancelled_caught)

    monkeypatch.setattr(command, "check", check)
    assert execute(Order(), world.facts.setup) == 2
    assert "(interrupted)" in capsys.readouterr().out


def test_the_rows_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_rows(Order(only=("E1",))) == 0
    assert "SECRET_KEY_BASE" in capsys.readouterr().out
