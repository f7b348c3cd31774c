"""The pages' `curl` lines, carried out on a node over the demo's providers. Its names stand in for the pages'."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest

from tests.docs.pages import ROOT, Line, all_lines
from tests.docs.readers_desk import DEMO, FAULTS, OWN, Desk, free_ports

pytestmark = pytest.mark.e2e
TOKEN = "token-of-the-demo-in-this-test"
NAMES = {
    "public/ethereum/ethereum_drpc": "demo/demo/steady",
    "profile=public": "profile=demo",
    "/ethereum": "/demo",
    "profile/mine/eth": "demo",
    "localhost": "127.0.0.1",
    "0x…": "0x0000000000000000000000000000000000000000",
}
STANDING = f"export NODE=http://127.0.0.1:{DEMO} OPS=http://127.0.0.1:{DEMO} TOKEN={TOKEN}\n"
NODE = re.compile(rf"\$(?:NODE|OPS)|(?:localhost|127\.0\.0\.1):(?:{DEMO}|{FAULTS})")
LINES = [line for line in all_lines() if line.text.startswith("curl ") and NODE.search(line.text)]

READERS = [line for line in all_lines() if re.search(r"(?:^|\| )jq ", line.text) and "curl" not in line.text]
"""What reads a log, wherever the page has it from."""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = Desk(tmp_path_factory.mktemp("desk"), free_ports())
    (desk.folder / "profiles").mkdir()
    (desk.folder / "profiles" / "demo.yml").write_text(desk.typed((ROOT / "profiles" / "demo.yml").read_text()))
    node = f"export LASSO_ADMIN_TOKEN={TOKEN}\nlasso serve --port {desk.ports[DEMO]} | tee lasso.log"
    with desk.running(f"scripts/demo --port {desk.ports[OWN]}", OWN), desk.running(node, DEMO):
        yield desk


def test_there_are_calls() -> None:
    assert len(LINES) > 15
    assert len(READERS) > 5


@pytest.mark.parametrize("line", LINES, ids=str)
def test_a_call_of_the_pages_is_answered(desk: Desk, line: Line) -> None:
    text = line.text
    for name, here in NAMES.items():
        text = text.replace(name, here)
    told = desk.run(STANDING + text.replace("curl ", "curl --fail-with-body ", 1))
    assert told
    assert '"error":' not in told


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq was not found (Debian: apt-get install jq)")
@pytest.mark.parametrize("line", READERS, ids=str)
def test_a_line_that_reads_the_log_understands_it(desk: Desk, line: Line) -> None:
    _, _, program = line.text.rpartition(" | jq ") if " | jq " in line.text else ("", "", line.text.removeprefix("jq "))
    script = f"jq {program}" if "lasso.log" in program else f"cat lasso.log | jq {program}"
    desk.run(script)
