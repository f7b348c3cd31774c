"""`lasso probe` against real nodes: what it says is what they do, and its proposal is a profile."""

from __future__ import annotations

import json
import subprocess
import sys

from lasso_trio.config.loader import load_profile_text
from tests.e2e.anvil import CHAIN_ID
from tests.e2e.fleet import Fleet
from tests.e2e.history import History


def test_a_real_node_is_seen_as_what_it_is(fleet: Fleet, history: History) -> None:
    urls = [node.url for node in fleet.nodes]
    options = ["--json", "--rps", "500", "--wait", "0.2", "--samples", "5"]
    command = [sys.executable, "-m", "lasso_trio", "probe", *urls, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    for found in said["endpoints"]:
        assert found["chain_id"] == CHAIN_ID
        assert found["client"].startswith("anvil/")
        assert found["lag"] == 0
        assert found["archive"]["open"]
        assert found["log_range"]["open"]
        assert found["batch"]["limit"] == 100
        assert found["websocket"]["subscribed"]
        support = {trial["method"]: trial["support"] for trial in found["methods"]}
        assert support["eth_call"] == support["eth_getProof"] == "supported"
    profile = load_profile_text(f"name: x\n{said['proposal']}", "<proposed>", {})
    assert [str(provider.url) for provider in profile.chains[0].providers] == urls
