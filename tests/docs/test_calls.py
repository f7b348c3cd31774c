"""The pages' `curl` lines, and those that check, measure and probe, carried out on a node over the demo's providers.
Its names stand in for the pages', and small numbers for large ones.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest

from tests.docs.pages import ROOT, Line, all_lines
from tests.docs.readers_desk import DEMO, FAULTS, OWN, PROVIDERS, Desk, free_ports

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

LOOKS = re.compile(r"\blasso (?:check|bench|probe)\b")
LOOKERS = [line for line in all_lines() if LOOKS.search(line.text) and line.page != "docs/quickstart.md"]
"""What looks at nodes and providers. `test_quickstart` types its own."""
HERE = {
    "probe ethereum": "probe demo",
    "lasso probe": "lasso probe --samples 5 --rps 100",
    "lasso check --url": "lasso check --load-calls 200 --url",
    "--load-calls 10000": "--load-calls 200",
    "-n 10000 -c 100": "-n 300 -c 10",
    "--rate 500 --duration 60": "--rate 50 --duration 1",
    "https://eth.drpc.org": f"http://127.0.0.1:{PROVIDERS}",
    "https://new.example/KEY": f"http://127.0.0.1:{PROVIDERS}/another",
    "https://us-east-1.rpc.example.com": "$NODE",
    "https://eu-west-1.rpc.example.com": "$NODE",
    "https://rpc.example.com": "$NODE",
    "--url …": "--url $NODE",
    "docker logs lasso 2>&1": "cat lasso.log",
}
"""Nothing is asked that is not on this machine, and nothing as often as the pages do."""

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


def looked(desk: Desk, line: Line) -> str:
    """What the line printed, whether or not what it looked at was well: that is exit code 0 or 1."""
    text = line.text
    for name, here in (HERE | NAMES).items():
        text = text.replace(name, here)
    assert not re.search(r"https?://(?!127\.)", text)
    return desk.run(f"{STANDING}( {text}\n) || test $? = 1")


def of(command: str) -> list[Line]:
    return [line for line in LOOKERS if f"lasso {command}" in line.text]


def test_every_line_that_looks_is_carried_out() -> None:
    assert len(LOOKERS) == sum(map(len, (of("bench"), of("check"), of("probe")))) > 12


@pytest.mark.parametrize("line", of("bench"), ids=str)
def test_a_bench_of_the_pages_measures(desk: Desk, line: Line) -> None:
    assert re.search(r": \d+ calls in [\d.]+ s", looked(desk, line))


@pytest.mark.parametrize("line", of("probe"), ids=str)
def test_a_probe_of_the_pages_finds_the_chain(desk: Desk, line: Line) -> None:
    told = looked(desk, line)
    assert "31337" in told
    assert "archival: true" in told or "│ answers" in told


@pytest.mark.parametrize("line", of("check"), ids=str)
def test_a_check_of_the_pages_finds_nothing_wrong(desk: Desk, line: Line) -> None:
    told = looked(desk, line)
    if "--list" in line.text:
        assert "docs/runbook.md" in told
        return
    failed = set(re.findall(r"^([A-Z]\d+)\b.*?  fail\b", told, re.MULTILINE))
    own = {"N1"} if "--public-url" in line.text else set()  # the public URL is the node's own here: its pages are seen
    assert failed <= {"N2"} | own  # N2: calls a second a CPU is good for, and this one is busy with other tests
    assert f" {len(failed)} fail" in told
