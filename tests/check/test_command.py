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
from lasso_trio.errors import ConfigError
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


def test_a_name_that_nobody_knows_is_told_as_what_is_wrong(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match="nobody knows 'nosuch'"):
        execute(Order(profile="nosuch"), world.facts.setup)
    assert capsys.readouterr().out == ""


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


def test_a_second_signal_waits_for_what_must_not_be_cut_off(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    restored: list[str] = []

    async def check(order: Order, _: Setup, tell: command.Tell, stop: trio.CancelScope) -> Report:
        with stop:
            try:
                os.kill(os.getpid(), signal.SIGINT)
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(deadline=trio.current_time() + 5, shield=True):
                    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                        os.kill(os.getpid(), number)
                        await trio.sleep(0.02)
                    restored.append("a")
        return Report(order.url, (Result(ROWS["E1"], passed("fine")),), interrupted=stop.cancelled_caught)

    monkeypatch.setattr(command, "check", check)
    assert execute(Order(), world.facts.setup) == 2
    assert restored == ["a"]
    assert "(interrupted)" in capsys.readouterr().out


def test_a_second_signal_ends_it_at_once_when_nothing_can_be_left_to_do(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    died: list[int] = []

    async def check(order: Order, _: Setup, __: command.Tell, stop: trio.CancelScope) -> Report:
        while not died:
            os.kill(os.getpid(), signal.SIGTERM)
            await trio.sleep(0.01)
        return Report(order.url, (), interrupted=stop.cancel_called)

    monkeypatch.setattr(command, "check", check)
    monkeypatch.setattr(command, "PATIENCE_S", 0.0)
    monkeypatch.setattr(command.signal, "raise_signal", died.append)
    before = signal.getsignal(signal.SIGTERM)
    assert execute(Order(), world.facts.setup) == 2
    assert died == [signal.SIGTERM]
    signal.signal(signal.SIGTERM, before)


def test_a_hangup_that_is_ignored_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert signal.SIGHUP not in command._ending()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert signal.SIGHUP in command._ending()


def test_the_rows_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_rows(Order(only=("E1",))) == 0
    assert "SECRET_KEY_BASE" in capsys.readouterr().out
