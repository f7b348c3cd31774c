"""Nodes of one cluster: `python -m lasso_trio serve` on 127.0.0.1, .2, .3 …, all on one port, behind one DNS name."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import attrs
import httpx
import trio

from tests.e2e import toolbox
from tests.e2e.anvil import CHAIN_ID
from tests.e2e.lasso import CHAIN, PROFILE
from tests.e2e.toolbox import ROOT

NAME: Final = "lasso.internal"
START_S: Final = 60.0
STOP_S: Final = 60.0
CALL: Final = {"jsonrpc": "2.0", "id": 1, "method": "eth_gasPrice", "params": []}
_OURS: Final = re.compile(r"LASSO_.*|CLUSTER_.*|PHX_.*|PORT|SECRET_KEY_BASE|.*_proxy", re.IGNORECASE)
_CRASHES: Final = re.compile(rb"Traceback|\.crashed|hypercorn\.(?:error|warning)")


def free_port(hosts: list[str]) -> int:
    """One that is free on all of them."""
    return toolbox.free_port(*hosts)


@attrs.define(eq=False)
class Neighbour:
    """One node. `node_id` and `secret` may be wrong on purpose."""

    host: str
    port: int
    node_id: str
    folder: Path
    client: httpx.AsyncClient
    dns: str
    url: str
    """The provider's."""
    secret: str = "s" * 64
    workers: int = 1
    process: subprocess.Popen[bytes] | None = None

    @property
    def base(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def start(self) -> None:
        """Returns when it is ready."""
        profiles = self.folder / "profiles"
        profiles.mkdir(parents=True, exist_ok=True)
        head = PROFILE.format(rps=10**6, burst=10**6, chain=CHAIN, chain_id=CHAIN_ID, settings="")
        (profiles / "public.yml").write_text(f"{head}      - {{id: steady, url: '{self.url}'}}\n")
        clean = {name: value for name, value in os.environ.items() if not _OURS.fullmatch(name)}
        command = [sys.executable, "-m", "lasso_trio", "serve", "--host", self.host, "--profiles", "profiles"]
        self.process = self._started(command, clean | self._env())
        with trio.fail_after(START_S):
            while not await self._ready():
                assert self.process.poll() is None, self.log()[-3000:]
                await trio.sleep(0.1)

    def _started(self, command: list[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
        with (self.folder / "lasso.log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.folder, env=env, stdout=log, stderr=log)

    def _env(self) -> dict[str, str]:
        return {
            "PYTHONPATH": str(ROOT),
            "PYTHONFAULTHANDLER": "1",
            "PORT": str(self.port),
            "LASSO_LOG_FORMAT": "json",
            "LASSO_GRACE_S": "3",
            "LASSO_NODE_ID": self.node_id,
            "SECRET_KEY_BASE": self.secret,
            "CLUSTER_DNS_QUERY": NAME,
            "CLUSTER_NODE_BASENAME": "lasso",
            "CLUSTER_DNS_SERVER": self.dns,
            "LASSO_WORKERS": str(self.workers),
        }

    async def _ready(self) -> bool:
        try:
            return (await self.client.get(f"{self.base}/api/ready")).status_code == 200
        except httpx.TransportError:
            return False

    def log(self) -> bytes:
        return (self.folder / "lasso.log").read_bytes()

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """SIGTERM. It must end well, and nothing may have crashed. One that does not end says where it is."""
        assert self.process is not None
        self.process.terminate()
        try:
            code = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            code = self.process.wait()
        assert code == 0, self.log()[-6000:].decode(errors="replace")
        crash = _CRASHES.search(self.log())
        assert crash is None, self.log()[-3000:].decode(errors="replace")

    async def call(self) -> Any:
        return (await self.client.post(f"{self.base}/rpc/{CHAIN}", json=CALL)).json()

    async def cluster(self, **wanted: str) -> Any:
        return (await self.client.get(f"{self.base}/api/cluster", params=wanted)).json()

    async def health(self) -> Any:
        return (await self.client.get(f"{self.base}/api/health")).json()["cluster"]

    async def metric(self, name: str) -> float:
        """Of its page for Prometheus; `name` with its labels as they stand there."""
        page = (await self.client.get(f"{self.base}/metrics")).text
        (line,) = (line for line in page.splitlines() if line.startswith(f"{name} "))
        return float(line.removeprefix(name))

    async def problems(self) -> set[str]:
        return {problem["kind"] for problem in (await self.cluster())["problems"]}

    async def state_of(self, node_id: str) -> str | None:
        """As this node sees it."""
        nodes = (await self.cluster())["nodes"]
        return next((node["state"] for node in nodes if node["id"] == node_id), None)
