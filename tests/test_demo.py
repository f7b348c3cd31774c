"""`lasso demo` as a newcomer meets it: it says what runs, answers, and ends when told."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from socket import socket

import attrs
import pytest
import trio

from lasso_trio.config.loader import load_profile_text, shipped_directory
from lasso_trio.demo import demo_profile, welcome
from lasso_trio.devnet import Devnet, demo_network
from lasso_trio.devnet.demo import FAULTS

ASK = b'{"jsonrpc":"2.0","id":7,"method":"eth_chainId","params":[]}'


@attrs.define
class Demo:
    process: subprocess.Popen[str]
    welcome: str

    def ask(self, url: str) -> object:
        request = urllib.request.Request(url, data=ASK, headers={"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)


def start(port: int, base_port: int) -> subprocess.Popen[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PHX_", "LASSO_", "COVERAGE_"))}
    command = [sys.executable, "-m", "lasso_trio", "demo", "--port", str(port), "--base-port", str(base_port)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Demo]:
    """The demo on ports that the system chose, once its welcome is out."""
    with start(0, 0) as process:
        try:
            assert process.stdout is not None
            lines: list[str] = []
            while not lines or "Ctrl-C" not in lines[-1]:
                line = process.stdout.readline()
                assert line, f"it ended before its welcome: {''.join(lines)}"
                lines.append(line)
            yield Demo(process, "".join(lines))
        finally:
            process.kill()


def test_the_demo_says_what_runs_answers_and_ends_cleanly(running: Demo) -> None:
    addresses = re.findall(r"http://127\.0\.0\.1:\d+/rpc/[a-z/]*demo", running.welcome)
    assert len(set(addresses)) == 2
    for address in set(addresses):
        assert running.ask(address) == {"jsonrpc": "2.0", "id": 7, "result": "0x7a69"}
    for name in FAULTS:
        (provider,) = re.findall(rf"  {name} +(http://\S+) +ws://", running.welcome)
        if name != "flaky":
            assert running.ask(provider) == {"jsonrpc": "2.0", "id": 7, "result": "0x7a69"}
    (state,) = re.findall(r"  faults +(http://\S+/state)", running.welcome)
    with urllib.request.urlopen(state, timeout=20) as answer:
        assert set(FAULTS) <= set(json.load(answer)["providers"])
    running.process.send_signal(signal.SIGTERM)
    rest, _ = running.process.communicate(timeout=30)
    assert running.process.returncode == 0
    assert '"event":"rpc.request.completed"' in rest
    assert "Traceback" not in rest


def test_a_port_that_is_taken_ends_the_demo_with_that_reason() -> None:
    with closing(socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with start(taken.getsockname()[1], 0) as process:
            told, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "in use" in told
    assert "lasso demo:" not in told


@pytest.fixture
async def net(nursery: trio.Nursery) -> Devnet:
    net = demo_network(base_port=0)
    await nursery.start(net.run)
    return net


async def test_the_profile_of_the_demo_is_the_shipped_one_over_the_ports_that_are_there(net: Devnet) -> None:
    file = shipped_directory() / "demo.yml"
    shipped = load_profile_text(file.read_text(encoding="utf-8"), str(file), {})
    ours = demo_profile(net)
    (chain,), (its,) = ours.chains, shipped.chains
    assert [provider.id for provider in chain.providers] == [provider.id for provider in its.providers] == list(FAULTS)
    for provider, shipped_one in zip(chain.providers, its.providers, strict=True):
        assert provider.url is not None
        assert shipped_one.url is not None
        assert provider.url.reveal() == net.url(provider.id)
        assert provider.url.reveal() != shipped_one.url.reveal()
        assert (provider.ws_url is None) == (shipped_one.ws_url is None)
    assert (chain.chain_id, chain.key) == (its.chain_id, its.key)


async def test_the_welcome_names_every_provider_with_both_addresses_and_its_character(net: Devnet) -> None:
    text = welcome("http://127.0.0.1:4000", net)
    assert "curl -s 'http://127.0.0.1:4000/rpc/fastest/demo?include_meta=body'" in text
    assert f"http://127.0.0.1:{net.admin_port}/state" in text
    for name, words in {"steady": "wishes", "flaky": "fails", "throttled": "20 requests", "lagging": "behind"}.items():
        (row,) = (line for line in text.splitlines() if line.startswith(f"  {name} "))
        assert net.url(name) in row
        assert net.ws_url(name) in row
        assert words in row
    assert not re.search(r"[{}]{2}|\{\w+\}", text)
