"""The browser, the accessibility checker and the demo that the tests look at; where one is missing, see `toolbox`."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

from tests.e2e import toolbox
from tests.e2e.toolbox import ROOT, TOOLBOX

START_S: Final = 60.0
TOKEN: Final = "a token of these tests alone"
_OURS: Final = re.compile(r"LASSO_.*|PHX_.*|PORT|SECRET_KEY_BASE|.*_proxy", re.IGNORECASE)
_CALLS: Final = (
    ("eth_blockNumber", []),
    ("eth_getBalance", ["0x" + 40 * "0", "latest"]),
    ("eth_getBlockByNumber", ["latest", False]),
    ("eth_gasPrice", []),
)


def chromium() -> str:
    binary = shutil.which("chromium") or shutil.which("chromium-browser")
    if binary is None:
        toolbox.lacking("chromium is not installed (Debian: apt-get install chromium)")
    return binary


def axe() -> str:
    """The source of axe-core."""
    file = TOOLBOX / "node_modules" / "axe-core" / "axe.min.js"
    if not file.is_file():
        toolbox.lacking(f"no axe-core in {TOOLBOX} (scripts/test fetches it)")
    return file.read_text(encoding="utf-8")


@attrs.frozen
class Demo:
    """A running `lasso demo`: its address, the address of its faults, and its process."""

    url: str
    faults: str
    process: subprocess.Popen[bytes]

    def get(self, path: str) -> Any:
        status, body = self.ask("GET", path)
        assert status == 200, (status, path)
        return body

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] = {}) -> tuple[int, Any]:
        return _ask(self.url, method, path, body, headers)

    def order(self, provider: str, verb: str) -> None:
        """An operator's order to `provider`, as `docs/admin.md` has it."""
        path = f"/admin/providers/demo/demo/{provider}/{verb}"
        status, body = self.ask("POST", path, {}, {"authorization": f"Bearer {TOKEN}"})
        assert status == 200, (status, body)

    def fault(self, method: str, path: str) -> None:
        status, body = _ask(self.faults, method, path, {}, {})
        assert status == 200, (status, body)

    @contextmanager
    def under_load(self, per_second: float = 40) -> Iterator[None]:
        """Calls at about this rate from a thread, until the block is left."""
        over = threading.Event()
        thread = threading.Thread(target=self._call_until, args=(over, 1 / per_second))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _call_until(self, over: threading.Event, pause_s: float) -> None:
        number = 0
        while not over.wait(pause_s):
            method, params = _CALLS[number % len(_CALLS)]
            number += 1
            path = "/rpc/fastest/demo" if number % 3 else "/rpc/demo"
            self.ask("POST", path, {"jsonrpc": "2.0", "id": number, "method": method, "params": params})


def _ask(url: str, method: str, path: str, body: Any, headers: Mapping[str, str]) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"content-type": "application/json", **headers})
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read() or b"null")
    finally:
        connection.close()


@contextmanager
def demo(folder: Path, **env: str) -> Iterator[Demo]:
    """`lasso demo` on ports of the kernel's choice, stopped at the end; it must end well."""
    clean = {name: value for name, value in os.environ.items() if not _OURS.fullmatch(name)}
    ours = {
        "PYTHONPATH": str(ROOT),
        "LASSO_LOG_FORMAT": "json",
        "LASSO_LOG_LEVEL": "warning",
        "LASSO_ADMIN_TOKEN": TOKEN,
    }
    command = [sys.executable, "-m", "lasso_trio", "demo", "--port", "0", "--base-port", "0"]
    log = folder / "demo.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=clean | ours | env, stdout=out, stderr=out)
    try:
        yield Demo(
            _told(log, process, r"proxy +(http://[\d.:]+)/"), _told(log, process, r"faults +(http://[\d.:]+)/"), process
        )
        process.terminate()
        assert process.wait(START_S) == 0, log.read_text(errors="replace")[-3000:]
    finally:
        process.kill()
        process.wait()


def _told(log: Path, process: subprocess.Popen[bytes], pattern: str) -> str:
    """What the welcome says, once it says it."""
    end = time.monotonic() + START_S
    while not (found := re.search(pattern, text := log.read_text(errors="replace"))):
        assert process.poll() is None, text
        assert time.monotonic() < end, text
        time.sleep(0.02)
    return found[1]
