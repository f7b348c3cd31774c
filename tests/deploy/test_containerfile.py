"""What the Containerfile promises. That the image builds and runs is shown in `tests/e2e/test_image.py`."""

from __future__ import annotations

import json
import re
from typing import Final

from lasso_trio.config.settings import KNOWN
from tests.deploy.tools import ROOT, checked, tool

TEXT: Final = (ROOT / "Containerfile").read_text().replace("\\\n", " ")
RUNNING: Final = TEXT.rpartition("\nFROM ")[2]
"""The last stage."""


def instruction(name: str) -> str:
    (found,) = re.findall(rf"^{name} +(.*)$", RUNNING, re.MULTILINE)
    return str(found)


def test_hadolint_is_content() -> None:
    checked(tool("hadolint"), ROOT / "Containerfile")


def test_the_health_check_is_the_checklists() -> None:
    options, _, command = instruction("HEALTHCHECK").partition(" CMD ")
    assert set(options.split()) == {"--interval=30s", "--timeout=10s", "--retries=3", "--start-period=40s"}
    program, flag, script = json.loads(command)
    assert (program, flag) == ("python3", "-c")
    assert "/api/health" in script
    compile(script, "HEALTHCHECK", "exec")


def test_it_runs_as_nobody_special_and_is_stopped_gently() -> None:
    assert instruction("USER") == "10001:10001"
    assert instruction("STOPSIGNAL") == "SIGTERM"
    assert "PHX_SERVER=true" in instruction("ENV")


def test_every_package_comes_from_a_lock_with_its_hash() -> None:
    installs = [line for line in re.split(r"&&|\n", TEXT) if " install " in line]
    assert len(installs) == 3
    assert [("--require-hashes" in line, "--no-deps" in line) for line in installs[:2]] == [(True, True)] * 2
    assert installs[2].split("--no-deps")[1].strip() == "dist/*.whl"


def test_its_variables_mean_something() -> None:
    assert set(re.findall(r"\bLASSO_\w+(?==)", RUNNING)) <= KNOWN


def test_what_is_copied_is_what_the_context_lets_in() -> None:
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", TEXT, re.MULTILINE)
    wanted = {name.rstrip("/") for names in copied for name in names.split()}
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    assert {line[1:] for line in lines if line.startswith("!")} == wanted
    assert all((ROOT / name).exists() for name in wanted)
