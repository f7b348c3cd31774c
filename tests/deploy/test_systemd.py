"""The unit: what systemd's own checkers say of it, and that it keeps to what the node does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from lasso_trio import cli
from lasso_trio.config.settings import KNOWN, Settings
from tests.deploy.tools import DEPLOY, checked, tool, variables

HERE: Final = DEPLOY / "systemd"
UNIT: Final = (HERE / "lasso.service").read_text()
MOST_EXPOSED: Final = 1.5
"""Of 10, in the words of `systemd-analyze security`; a unit without any hardening has 9.6."""


def installed(folder: Path) -> Path:
    """The unit, with a program that exists here."""
    path = folder / "lasso.service"
    path.write_text(UNIT.replace("/opt/lasso/bin/lasso", "/bin/true"))
    return path


def value(name: str) -> str:
    (found,) = re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)
    return str(found)


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    assert checked(tool("systemd-analyze"), "verify", "--man=no", installed(tmp_path)) == ""


def test_systemd_finds_little_that_is_exposed(tmp_path: Path) -> None:
    told = checked(tool("systemd-analyze"), "security", "--offline=yes", "--no-pager", installed(tmp_path))
    level = re.search(r"exposure level for \S+ ([\d.]+)", told)
    assert level is not None
    assert float(level[1]) <= MOST_EXPOSED


def test_it_waits_for_the_nodes_word_and_for_its_calls() -> None:
    assert value("Type") == "notify"
    assert int(value("TimeoutStopSec").removesuffix("s")) > Settings().grace_s


def test_a_wrong_configuration_is_not_tried_again() -> None:
    assert value("RestartPreventExitStatus") == str(cli.MISCONFIGURED)


def test_its_log_is_json_in_the_journal() -> None:
    assert value("StandardOutput") == "journal"
    assert "Environment=LASSO_LOG_FORMAT=json" in UNIT


def test_what_a_node_needs_in_production_is_asked_for() -> None:
    example = variables((HERE / "lasso.env.example").read_text())
    assert example.keys() >= {"LASSO_ENV", "LASSO_NODE_ID", "PHX_HOST", "SECRET_KEY_BASE"}
    mentioned = set(re.findall(r"\bLASSO_\w+(?==)", UNIT)) | {name for name in example if name.startswith("LASSO_")}
    assert mentioned <= KNOWN
