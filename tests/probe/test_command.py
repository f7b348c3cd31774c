from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from lasso_trio.probe import command
from lasso_trio.probe.command import Output, execute
from lasso_trio.probe.finding import Finding
from lasso_trio.probe.run import Order, Tell
from lasso_trio.probe.target import Target, url_target

GOOD = Finding("h", None, "http://h", chain_id=1)
TARGETS = (url_target("http://h/key-key-key"),)


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """What the probe finds, to be filled."""
    found: list[Finding] = []

    async def probe(_targets: tuple[Target, ...], order: Order, tell: Tell) -> tuple[Finding, ...]:
        await trio.lowlevel.checkpoint()
        tell(0, 1, "chain id")
        tell(0, 1, "")
        return tuple(found)

    monkeypatch.setattr(command, "probe", probe)
    return found


def test_the_table_goes_to_stdout_and_all_is_well(finds: list[Finding], capsys: pytest.CaptureFixture[str]) -> None:
    finds.append(GOOD)
    assert execute(TARGETS, Order(), Output()) == 0
    out, err = capsys.readouterr()
    assert "answers" in out
    assert err == ""


def test_one_that_failed_is_exit_code_one(finds: list[Finding], capsys: pytest.CaptureFixture[str]) -> None:
    finds.append(Finding("h", None, "http://h", problem="HTTP 502"))
    assert execute(TARGETS, Order(), Output(as_json=True)) == 1
    assert json.loads(capsys.readouterr().out)["endpoints"][0]["problem"] == "HTTP 502"


def test_json_is_alone_on_stdout_and_holds_the_proposal(
    finds: list[Finding], capsys: pytest.CaptureFixture[str]
) -> None:
    finds.append(GOOD)
    execute(TARGETS, Order(), Output(as_json=True))
    out = capsys.readouterr().out
    assert "chain_id: 1" in json.loads(out)["proposal"]
    assert "key-key-key" not in out


def test_yaml_on_stdout_moves_the_table_to_stderr(finds: list[Finding], capsys: pytest.CaptureFixture[str]) -> None:
    finds.append(GOOD)
    execute(TARGETS, Order(), Output(write="-"))
    out, err = capsys.readouterr()
    assert out.startswith("# Proposed by")
    assert "answers" in err


def test_yaml_is_written_beside_the_table(
    finds: list[Finding], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finds.append(GOOD)
    execute(TARGETS, Order(), Output(write=str(tmp_path / "p.yml")))
    assert "chains:" in (tmp_path / "p.yml").read_text()
    assert "answers" in capsys.readouterr().out
    with pytest.raises(OSError):
        execute(TARGETS, Order(), Output(write=str(tmp_path / "nowhere" / "p.yml")))
