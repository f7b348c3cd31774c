"""One real node: an anvil process that mines only when it is told to, with all its state in memory.

`--prune-history` keeps it from writing states to the disk, of which it would leave gigabytes behind.
"""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import attrs

from tests.e2e import standstill, toolbox

GENESIS: Final = 1_700_000_000
"""Seconds since 1970. The same on every node, or their blocks would differ."""
CHAIN_ID: Final = 31_337
START_S: Final = 60.0


class NodeError(Exception):
    """A JSON-RPC error. `code`: its code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@attrs.define(eq=False)
class Anvil:
    """`name` is the provider's name in profiles. `done`: how many of the fleet's steps it has taken."""

    name: str
    folder: Path
    chain_id: int = CHAIN_ID
    port: int = attrs.field(factory=toolbox.free_port)
    done: int = 0
    paused: bool = False
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def answers(self) -> bool:
        return self._process is not None and not self.paused

    def start(self) -> None:
        """Start at the genesis and wait until it answers."""
        assert self._process is None, f"{self.name} runs already"
        options = {"port": self.port, "timestamp": GENESIS, "chain-id": self.chain_id, "prune-history": 128}
        command = [str(toolbox.anvil()), "--silent", "--no-mining", "--steps-tracing"]
        command += [text for option, value in options.items() for text in (f"--{option}", str(value))]
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        self.done = 0
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + START_S
        while True:
            try:
                self.call("eth_chainId")
            except OSError:
                assert time.monotonic() < end, f"{self.name} does not answer on {self.url}"
                time.sleep(0.01)
            else:
                return

    def call(self, method: str, *params: Any) -> Any:
        """The result. Raises NodeError; OSError when the node does not answer."""
        reply = json.loads(self.ask(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})))
        if "error" in reply:
            raise NodeError(reply["error"]["code"], reply["error"]["message"])
        return reply["result"]

    def ask(self, body: str | bytes) -> bytes:
        """The body of the answer to a POST of `body`, as it came."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", "/", body, {"content-type": "application/json"})
            return connection.getresponse().read()
        finally:
            connection.close()

    def kill(self) -> None:
        """SIGKILL: its connections are reset and its state is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process, self.paused = None, False

    def pause(self) -> None:
        """SIGSTOP: the kernel still accepts connections for it, nobody ever answers."""
        assert self._process is not None
        standstill.stop(self._process)
        self.paused = True

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
        self.paused = False
