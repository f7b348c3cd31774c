"""The container's image, as operators run it: a user without rights, a root that cannot be written, one signal to stop.

A node in it asks simulated providers outside of it, over loopback. What it is started with is what the image says.
"""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import pytest

from tests.e2e import devnet, image, toolbox
from tests.e2e.anvil import CHAIN_ID
from tests.e2e.image import Image
from tests.e2e.lasso import PROFILE, START_S, STOP_S

MOST_OVER_BASE: Final = 150_000_000
ASK: Final = b'{"jsonrpc":"2.0","id":7,"method":"eth_blockNumber","params":[]}'
PROD: Final = {"LASSO_ENV": "prod", "LASSO_NODE_ID": "image", "PHX_HOST": "localhost", "SECRET_KEY_BASE": "k" * 64}


@attrs.frozen
class Node:
    process: subprocess.Popen[bytes]
    port: int
    log: Path
    started_in: float
    """Seconds until it was ready."""

    def status(self, name: str) -> str:
        found = re.search(rf"^{name}:\s*(.*)$", Path(f"/proc/{self.process.pid}/status").read_text(), re.MULTILINE)
        assert found is not None
        return found[1]

    def root_mount(self) -> set[str]:
        """The options that its root is mounted with."""
        mounts = [line.split() for line in Path(f"/proc/{self.process.pid}/mounts").read_text().splitlines()]
        (options,) = [fields[3] for fields in mounts if fields[1] == "/"]
        return set(options.split(","))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    with image.built(tmp_path_factory.mktemp("image")) as made:
        yield made


@contextmanager
def serving(built: Image, folder: Path) -> Iterator[Node]:
    """A node in the image, once it is ready."""
    port = toolbox.free_port()
    with devnet.running(100, {"one": 1000}) as urls, (folder / "log").open("wb") as log:
        began = time.monotonic()
        process = built.start(
            *built.config["Entrypoint"],
            "serve",
            "--host",
            "127.0.0.1",  # the image says every address; a test does not
            env={**PROD, "PORT": str(port)},
            profiles=profiles(folder, urls["one"]),
            stdout=log,
            stderr=log,
        )
        try:
            wait_until_ready(process, port, folder / "log")
            yield Node(process, port, folder / "log", time.monotonic() - began)
        finally:
            process.kill()
            process.wait()


def profiles(folder: Path, url: str) -> Path:
    made = folder / "profiles"
    made.mkdir()
    head = PROFILE.format(rps=100, burst=100, chain="one", chain_id=CHAIN_ID, settings="")
    (made / "public.yml").write_text(f"{head}      - {{id: one, url: '{url}'}}\n")
    return made


def wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_S
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        try:
            if request(port, "GET", "/api/ready")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.01)


def request(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


@pytest.mark.timeout(400)  # the first makes the base, and builds
def test_it_adds_little_to_its_base_and_says_how_it_is_run(built: Image, say: Callable[[str], None]) -> None:
    say(f"the image is {built.size / 1e6:.0f} MB over its base")
    assert built.size <= MOST_OVER_BASE
    config = built.config
    assert (config["User"], config["StopSignal"]) == ("10001:10001", "SIGTERM")
    assert (config["Entrypoint"], config["Cmd"]) == (["lasso"], ["serve", "--host", "0.0.0.0"])
    seconds = {name: config["Healthcheck"][name] / 1e9 for name in ("Interval", "Timeout", "StartPeriod")}
    assert seconds == {"Interval": 30, "Timeout": 10, "StartPeriod": 40}
    assert config["Healthcheck"]["Retries"] == 3
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"


@pytest.mark.timeout(400)
def test_it_answers_a_call_as_a_user_without_rights_on_a_root_it_cannot_write(
    built: Image, tmp_path: Path, say: Callable[[str], None]
) -> None:
    with serving(built, tmp_path) as node:
        say(f"ready {node.started_in:.2f} s after its start")
        status, answer = request(node.port, "POST", "/rpc/fastest/one", ASK)
        assert (status, json.loads(answer)["result"]) == (200, hex(100))
        assert node.status("Uid").split() == ["10001"] * 4
        assert int(node.status("CapEff"), 16) == 0
        assert "ro" in node.root_mount()
        node.process.send_signal(getattr(signal, built.config["StopSignal"]))
        assert node.process.wait(STOP_S) == 0
        lines = [json.loads(line) for line in node.log.read_text().splitlines()]
    assert {"node.ready", "rpc.request.completed", "node.drained"} <= {line["event"] for line in lines}


@pytest.mark.timeout(400)
def test_its_health_check_tells_a_node_that_answers_from_one_that_does_not(built: Image, tmp_path: Path) -> None:
    kind, *command = built.config["Healthcheck"]["Test"]
    assert kind == "CMD"
    with serving(built, tmp_path) as node:
        env = {"PORT": str(node.port)}
        assert built.start(*command, env=env).wait(START_S) == 0
    assert built.start(*command, env=env, stderr=subprocess.DEVNULL).wait(START_S) != 0


@pytest.mark.timeout(400)
def test_it_holds_nothing_that_was_only_needed_to_build_it(built: Image) -> None:
    packages = {path.name.lower() for path in built.root.glob("opt/lasso/lib/python3*/site-packages/*")}
    assert "lasso_trio" in packages
    assert not {"pip", "hatchling", "setuptools"} & packages
    assert not (built.root / "opt" / "build").exists()
    assert not (built.root / "src").exists()
