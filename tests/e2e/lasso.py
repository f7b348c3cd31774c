"""The proxy as its users run it: `python -m lasso_trio serve`, a profile in a folder, an environment, a signal to stop.

It listens on a port of the kernel's choice, which its log tells. The log is also where a test reads which provider
answered what, and where a crash would show: `stop` fails on one.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from tests.e2e.anvil import CHAIN_ID
from tests.e2e.toolbox import ROOT

START_S: Final = 60.0
"""Bounds like this one are for what hangs: a busy machine may start three Python processes in half of it."""
STOP_S: Final = 60.0
CHAIN: Final = "anvil"
_OURS: Final = re.compile(r"LASSO_.*|PHX_.*|PORT|SECRET_KEY_BASE|SSL_CERT_.*|.*_proxy", re.IGNORECASE)
_CRASHES: Final = re.compile(rb"Traceback|\.crashed|hypercorn\.(?:error|warning)|close_failed")

PROFILE: Final = """
name: End to end
slug: public
rps_limit: {rps}
burst_limit: {burst}
chains:
  {chain}:
    chain_id: {chain_id}
{settings}    providers:
"""


@attrs.define(eq=False)
class Lasso:
    """A running proxy; `running` makes one."""

    folder: Path
    port: int
    _process: subprocess.Popen[bytes]

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/rpc/{CHAIN}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/rpc/{CHAIN}"

    @property
    def log(self) -> bytes:
        return (self.folder / "lasso.log").read_bytes()

    def path(self, strategy: str) -> str:
        return f"/rpc/{strategy}/{CHAIN}"

    def get(self, path: str) -> tuple[int, Any]:
        """Status and decoded JSON. Raises OSError when nobody listens."""
        return _get(self.port, path)

    def ask(
        self,
        body: str | bytes,
        path: str = f"/rpc/{CHAIN}",
        headers: Mapping[str, str] = {},
    ) -> bytes:
        """The body of the answer to a POST of `body`, which must have status 200."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            encoded = body.encode() if isinstance(body, str) else body
            connection.request("POST", path, encoded, {"content-type": "application/json", **headers})
            reply = connection.getresponse()
            assert reply.status == 200, (reply.status, reply.read(500))
            return reply.read()
        finally:
            connection.close()

    def completed(self) -> list[dict[str, Any]]:
        """The log's lines on finished calls. The last few come after their answers, the very last when it ends."""
        lines = (self.folder / "lasso.log").read_bytes().splitlines()
        records = [json.loads(line) for line in lines if b"rpc.request.completed" in line and line.endswith(b"}")]
        return [record for record in records if record.get("event") == "rpc.request.completed"]

    def resident_mib(self) -> float:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found[1]) / 1024

    def stop(self) -> None:
        """SIGTERM. It must end in time, with exit code 0, and nothing may have crashed."""
        self._process.terminate()
        code = self._process.wait(STOP_S)
        log = (self.folder / "lasso.log").read_bytes()
        assert code == 0, f"exit code {code}\n{log[-3000:].decode(errors='replace')}"
        crash = _CRASHES.search(log)
        assert crash is None, log[crash.start() - 500 : crash.end() + 2500].decode(errors="replace") if crash else ""


@contextmanager
def running(
    folder: Path,
    providers: Mapping[str, str],
    *,
    rps: int = 1_000_000,
    burst: int = 1_000_000,
    env: Mapping[str, str] = {},
    chain: Mapping[str, object] = {},
    profile: Mapping[str, object] = {},
    websockets: bool = False,
) -> Iterator[Lasso]:
    """A proxy over `providers` (id → URL, the first has the best priority); stopped and checked at the end.

    `chain`: keys of the chain in the profile, `profile`: of the profile. `websockets`: the providers serve them, on the
    ports they have for HTTP.
    """
    folder.mkdir(parents=True)
    keys = {"block_time_ms": 12_000, **chain}
    settings = "".join(f"    {key}: {json.dumps(value)}\n" for key, value in keys.items())  # JSON is YAML
    head = PROFILE.format(rps=rps, burst=burst, chain=CHAIN, chain_id=CHAIN_ID, settings=settings)
    head = "".join(f"{key}: {json.dumps(value)}\n" for key, value in profile.items()) + head
    _write_profile(folder, [_provider(id_, url, websockets) for id_, url in providers.items()], head)
    process = _started(folder, env)
    try:
        lasso = Lasso(folder, _port(folder, process), process)
        _wait_until_ready(lasso.port, process)
        yield lasso
        lasso.stop()
    finally:
        process.kill()
        process.wait()


def _provider(id_: str, url: str, websockets: bool) -> Mapping[str, object]:
    return {"id": id_, "url": url} | ({"ws_url": url.replace("http", "ws", 1)} if websockets else {})


def _write_profile(folder: Path, providers: Sequence[Mapping[str, object]], head: str) -> None:
    listed = [f"      - {json.dumps({**each, 'priority': n})}\n" for n, each in enumerate(providers, start=1)]
    (folder / "profiles").mkdir()
    (folder / "profiles" / "public.yml").write_text(head + "".join(listed))


def _started(folder: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    clean = {name: value for name, value in os.environ.items() if not _OURS.fullmatch(name)}
    ours = {"PYTHONPATH": str(ROOT), "LASSO_LOG_FORMAT": "json", "LASSO_GRACE_S": "5", **env}
    command = [sys.executable, "-m", "lasso_trio", "serve", "--port", "0", "--profiles", "profiles"]
    with (folder / "lasso.log").open("wb") as log:
        return subprocess.Popen(command, cwd=folder, env=clean | ours, stdout=log, stderr=log)


def _port(folder: Path, process: subprocess.Popen[bytes]) -> int:
    """What the log says it listens on."""
    end = time.monotonic() + START_S
    while True:
        log = (folder / "lasso.log").read_text(errors="replace")
        found = re.search(r'"addresses":\s*\["http://127\.0\.0\.1:(\d+)"', log)
        if found:
            return int(found[1])
        assert process.poll() is None, f"it ended with {process.returncode}:\n{log}"
        assert time.monotonic() < end, f"it does not listen:\n{log}"
        time.sleep(0.02)


def _wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_S
    while _get(port, "/api/ready")[0] != 200:
        assert process.poll() is None
        assert time.monotonic() < end, "it does not get ready"
        time.sleep(0.02)


def _get(port: int, path: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, json.load(reply)
    finally:
        connection.close()
