"""A terminal for the pages' commands: `lasso` is this checkout's, and the ports that pages name are free ones."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from socket import socket
from typing import Final

import attrs

DEMO, OWN, CONTAINER, PROVIDERS, FAULTS = 4000, 4100, 4200, 18545, 18540
START_S: Final = 60.0
_OURS: Final = re.compile(r"LASSO_.*|PHX_.*|PORT|SECRET_KEY_BASE|.*_proxy", re.IGNORECASE)


def free_ports() -> dict[int, int]:
    """A port for each that the pages name. Four providers follow one another, their faults are set five below."""
    dice = Random()
    while True:
        base = dice.randrange(20_000, 30_000)
        wanted = {FAULTS: base, OWN: base + 10, DEMO: base + 11, CONTAINER: base + 12}
        wanted |= {PROVIDERS + i: base + 5 + i for i in range(4)}
        with ExitStack() as taken:
            try:
                for port in wanted.values():
                    taken.enter_context(socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return wanted


@attrs.frozen
class Desk:
    """`folder`: where commands run; what they leave there is found by those after them."""

    folder: Path
    ports: Mapping[int, int]

    def typed(self, script: str) -> str:
        """`script` as it would be typed here."""
        for name, port in self.ports.items():
            script = re.sub(rf"(?<=[: ]){name}\b", str(port), script)
        python = f"{sys.executable} -m lasso_trio"
        script = re.sub(r"(?m)^scripts/demo", f"exec {python} demo --base-port {self.ports[PROVIDERS]}", script)
        return re.sub(r"(?<![\w/-])(?:\.venv/bin/)?lasso (?=[a-z])", f"{python} ", script)

    @property
    def environment(self) -> dict[str, str]:
        """Of the command's: nothing of whoever runs the tests decides for the node."""
        return {name: value for name, value in os.environ.items() if not _OURS.fullmatch(name)}

    def run(self, script: str, timeout: float = 120) -> str:
        """What it printed. Raises CalledProcessError when it fails."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.typed(script)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"{self.typed(script)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, script: str, port: int) -> Iterator[None]:
        """A command that goes on, once its node is ready on `port`; told to stop at the end."""
        with subprocess.Popen(
            ["bash", "-c", self.typed(script)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            try:
                self._wait(process, f"http://127.0.0.1:{self.ports[port]}/api/ready")
                yield
            finally:
                os.killpg(process.pid, 15)
                process.wait(30)

    @staticmethod
    def _wait(process: subprocess.Popen[bytes], url: str) -> None:
        until = time.monotonic() + START_S
        while True:
            try:
                urllib.request.urlopen(url, timeout=5).close()
                return
            except urllib.error.URLError as fault:
                if process.poll() is not None or time.monotonic() > until:
                    raise TimeoutError(f"{url}: {fault}") from fault
                time.sleep(0.1)
