"""viem through the proxy, in a Node process of its own; the scripts are in `node/`.

`reads.mjs` runs on the proxy and on a node and must print the same lines. `writes.mjs` signs with a key of its own and
sends through the proxy; whenever it prints `sent` it waits for a line, which we write when the block is mined.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from web3 import Web3

from tests.e2e import till, toolbox
from tests.e2e.anvil import CHAIN_ID
from tests.e2e.fleet import Fleet
from tests.e2e.history import MANY, NOTES, OWNER, History
from tests.e2e.lasso import Lasso

SCRIPTS: Final = Path(__file__).parent / "node"
RUN_S: Final = 60.0

Steps = dict[str, Any]


def command(script: str, task: Mapping[str, Any]) -> list[str]:
    node, _ = toolbox.library("viem")
    return [node, str(SCRIPTS / script), json.dumps({"chainId": CHAIN_ID, "abi": till.ABI, **task})]


def environment() -> dict[str, str]:
    return {**os.environ, "E2E_TOOLBOX": str(toolbox.TOOLBOX)}


def reading(url: str, history: History) -> Steps:
    """Every step of `reads.mjs` on `url`, by name."""
    places = {"till": history.till, "owner": OWNER.address, "paid": history.paid[3]}
    task = command("reads.mjs", {"url": url, "first": history.first, "last": history.last, **places})
    done = subprocess.run(task, env=environment(), capture_output=True, text=True, timeout=RUN_S, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return {line["step"]: line["value"] for line in map(json.loads, done.stdout.splitlines())}


@pytest.fixture(scope="module")
def through(lasso: Lasso, history: History) -> Steps:
    return reading(lasso.url, history)


@pytest.fixture(scope="module")
def direct(fleet: Fleet, history: History) -> Steps:
    return reading(fleet.first.url, history)


def test_it_reads_what_it_reads_from_a_node(through: Steps, direct: Steps) -> None:
    assert len(through) > 20
    for step, value in direct.items():
        assert through[step] == value, step


def test_events_are_decoded(through: Steps) -> None:
    assert tuple(event["args"]["note"] for event in through["events"][: len(NOTES)]) == NOTES
    assert len(through["events"]) == MANY + len(NOTES)


def test_reverts_are_decoded(through: Steps) -> None:
    assert through["customError"]["name"] == "Short"
    assert through["customError"]["args"][0] == f"{10**30}n"
    assert through["reason"]["reason"] == "über das Limit ☃"


def test_what_is_not_there_is_told_as_viem_tells_it(through: Steps) -> None:
    assert through["nullBlock"]["name"] == "BlockNotFoundError"
    assert through["nullReceipt"]["name"] == "TransactionReceiptNotFoundError"
    assert through["unknownMethod"]["code"] == -32601


def test_a_batch_is_answered_in_order(through: Steps, history: History) -> None:
    *blocks, held, refused = through["batch"]
    assert [block["number"] for block in blocks] == [f"{n}n" for n in range(history.last)]
    assert held == through["held"]
    assert refused["code"] == -32601


def test_a_contract_is_deployed_and_paid_and_its_event_read(lasso: Lasso, fleet: Fleet) -> None:
    task = {"url": lasso.url, "bytecode": till.BYTECODE, "key": Web3.to_hex(OWNER.key)}
    steps = dict(written(command("writes.mjs", task), fleet))
    assert steps["deployed"]["status"] == "success"
    payment = {"payer": OWNER.address, "number": "12n", "note": "☃ viem"}
    assert steps["paid"] == [{"eventName": "Paid", "args": payment}]
    assert steps["held"] == "12n"


def written(task: list[str], fleet: Fleet) -> Iterator[tuple[str, Any]]:
    """Run a script that writes; mine whenever it has sent something."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(task, env=environment(), text=True, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            for line in map(json.loads, process.stdout):
                if line["step"] == "sent":
                    fleet.mine()
                    process.stdin.write("mined\n")
                    process.stdin.flush()
                yield line["step"], line["value"]
            assert process.wait(RUN_S) == 0, process.stderr and process.stderr.read()[-3000:]
        finally:
            process.kill()
