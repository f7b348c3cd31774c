"""The quick start, word for word: a stranger who types what it says gets what it says."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.docs.pages import lines, scripts
from tests.docs.readers_desk import DEMO, OWN, Desk, free_ports
from tests.e2e import image
from tests.e2e.image import Image

pytestmark = pytest.mark.e2e
BLOCKS = scripts("docs/quickstart.md")


def block(holds: str) -> str:
    (found,) = [script for script in BLOCKS if holds in script]
    return found


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """With the demo of step 1 running."""
    desk = Desk(tmp_path_factory.mktemp("stranger"), free_ports())
    demo = block("scripts/demo").strip() + f" --port {desk.ports[DEMO]}"
    with desk.running(demo, DEMO):
        yield desk


@pytest.fixture(scope="module")
def served(desk: Desk) -> Iterator[Desk]:
    """After steps 3 and 4: a profile is written and served."""
    assert "mine: local (31337); 3 providers: OK" in desk.run(block("lasso validate"))
    with desk.running(block("lasso serve"), OWN):
        yield desk


def test_a_first_call_says_who_served_it(desk: Desk) -> None:
    told = json.loads(desk.run(block("include_meta=body")))
    assert told["result"].startswith("0x")
    assert told["lasso_meta"]["selected_provider"]["id"]


def test_a_call_is_explained(desk: Desk) -> None:
    assert json.loads(desk.run(block("explain=1")))["result"]["candidates"]


def test_a_provider_is_killed_and_revived(desk: Desk) -> None:
    assert '"up": true' in desk.run(block("/kill"))


def test_a_profile_of_ones_own_answers(served: Desk) -> None:
    told = served.run(block("eth_chainId"))
    assert '"ready"' in told
    assert '"result":"0x7a69"' in told


def test_the_check_finds_nothing_wrong(served: Desk) -> None:
    told = served.run(block("lasso check").strip() + " || test $? = 1")  # 1: a row failed
    failed = re.findall(r"^([A-Z]\d+)\b.*?  fail\b", told, re.MULTILINE)
    assert set(failed) <= {"N2"}  # how many calls a second a CPU is good for: this one is busy with other tests
    assert f" {len(failed)} fail" in told
    assert "D1   Provider failover            pass" in told
    assert "P3   Loading is visible           pass" in told


def test_the_bench_measures_it(served: Desk) -> None:
    assert "450 calls" in served.run(block("lasso bench"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The first half of step 6, by buildah."""
    with image.built(tmp_path_factory.mktemp("image")) as made:
        yield made


@pytest.mark.timeout(400)  # it makes a base, and builds
def test_the_profile_is_served_by_the_container(served: Desk, built: Image) -> None:
    (run,) = [
        words for line in lines("docs/quickstart.md") for words in line.commands if words[:2] == ["docker", "run"]
    ]
    assert run[-1] == "lasso-trio"  # so what runs is what the image says
    assert run[run.index("-v") + 1] == "$PWD/mine:/app/profiles:ro"
    name, _, port = run[run.index("-e") + 1].partition("=")
    environment = {name: str(served.ports[int(port)])}
    command = [*built.config["Entrypoint"], *built.config["Cmd"]]
    served.folder.chmod(0o755)  # the container's user is another than ours
    process = built.start(*command, env=environment, profiles=served.folder / "mine", stdout=subprocess.DEVNULL)
    with process:
        try:
            told = served.run(f"for _ in {{1..60}}; do {block(':4200/api/health').strip()} && break; sleep 0.5; done")
        finally:
            process.terminate()
    assert '"status":"healthy"' in told
    assert process.returncode == 0


def test_no_step_is_forgotten_here() -> None:
    done = ("scripts/demo", "include_meta=body", "explain=1", "/kill", "lasso validate", "lasso serve", "eth_chainId",
            "lasso check", "lasso bench")  # fmt: skip
    images = ("docker build", ":4200/api/health")
    assert len(BLOCKS) == len({block(holds) for holds in done + images})
