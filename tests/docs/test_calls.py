"""The pages' `curl` lines, carried out on a node over the demo's providers. Its names stand in for the pages'."""

from __future__ import annotations

import re
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


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = Desk(tmp_path_factory.mktemp("desk"), free_ports())
    (desk.folder / "profiles").mkdir()
    (desk.folder / "profiles" / "demo.yml").write_text(desk.typed((ROOT / "profiles" / "demo.yml").read_text()))
    node = f"export LASSO_ADMIN_TOKEN={TOKEN}\nlasso serve --port {desk.ports[DEMO]}"
    with desk.running(f"scripts/demo --port {desk.ports[OWN]}", OWN), desk.running(node, DEMO):
        yield desk


def test_there_are_calls() -> None:
    assert len(LINES) > 15


@pytest.mark.parametrize("line", LINES, ids=str)
def test_a_call_of_the_pages_is_answered(desk: Desk, line: Line) -> None:
    text = line.text
    for name, here in NAMES.items():
        text = text.replace(name, here)
    told = desk.run(STANDING + text.replace("curl ", "curl --fail-with-body ", 1))
    assert told
    assert '"error":' not in told
