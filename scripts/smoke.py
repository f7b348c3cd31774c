"""Run by `nox -s smoke` with the Python of a clean environment that holds the built wheel: does it work as installed?

Argument: the folder of profiles to validate. Works in a folder of its own, so the checkout cannot be imported by
accident. Exits 1 with the reason at the first thing that fails.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

LASSO = str(Path(sys.executable).parent / "lasso")
START_S = 30
STOP_S = 40  # more than the grace for calls in flight
ENDPOINT = re.compile(r"http://[\w.\[\]:]+/rpc/[\w./-]+")
ASK = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "eth_blockNumber", "params": []}).encode()


class Failed(Exception):
    """What the smoke found; its text is what the reader needs."""


def run(*arguments: str) -> str:
    done = subprocess.run([LASSO, *arguments], capture_output=True, text=True, timeout=START_S, check=False)
    if done.returncode != 0:
        raise Failed(f"lasso {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    print(f"ok: lasso {' '.join(arguments)}: {(done.stdout or done.stderr).strip().splitlines()[-1:]}")
    return done.stdout


def free_ports(count: int) -> int:
    """The first of `count` ports in a row that nobody listens on."""
    while True:
        with contextlib.ExitStack() as taken, contextlib.suppress(OSError, OverflowError):
            first = taken.enter_context(bound(0)).getsockname()[1]
            for offset in range(1, count):
                taken.enter_context(bound(first + offset))
            return int(first)


def bound(port: int) -> socket.socket:
    probe = socket.socket()
    try:
        probe.bind(("127.0.0.1", port))
    except BaseException:
        probe.close()
        raise
    return probe


def endpoint(output: Path, demo: subprocess.Popen[bytes]) -> str:
    """The first RPC address the demo prints."""
    began = time.monotonic()
    while time.monotonic() - began < START_S:
        found = ENDPOINT.search(output.read_text(errors="replace"))
        if found:
            return found.group()
        if demo.poll() is not None:
            raise Failed(f"lasso demo ended with {demo.returncode}:\n{output.read_text(errors='replace')}")
        time.sleep(0.02)
    raise Failed(f"lasso demo printed no RPC address in {START_S} s:\n{output.read_text(errors='replace')}")


def block_number(url: str) -> str:
    request = urllib.request.Request(url, data=ASK, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        answer = json.load(reply)
    if answer.get("id") != 7 or not str(answer.get("result", "")).startswith("0x"):
        raise Failed(f"not an answer to eth_blockNumber: {answer}")
    return str(answer["result"])


def first_answer(url: str) -> str:
    began = time.monotonic()
    while True:
        try:
            return block_number(url)
        except (urllib.error.URLError, ConnectionError) as problem:
            if time.monotonic() - began > START_S:
                raise Failed(f"{url} did not answer: {problem}") from problem
            time.sleep(0.02)


def dashboard_came_along(rpc: str) -> None:
    """The page, and each script and style sheet that it names: they are data of the package, easily left behind."""
    origin = rpc.partition("/rpc/")[0]
    page = fetched(f"{origin}/dashboard").decode()
    files = re.findall(r'(?:src|href)="(/dashboard/static/[^"]+)"', page)
    if len(files) < 5:
        raise Failed(f"the dashboard's page names only {files}")
    print(f"ok: the dashboard and its {len(files)} files, {sum(len(fetched(origin + file)) for file in files)} bytes")


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as reply:
        return bytes(reply.read())


def resident_mib(pid: int) -> str:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return "unknown"
    resident = re.search(r"VmRSS:\s+(\d+) kB", status)
    return f"{int(resident.group(1)) / 1024:.0f}" if resident else "unknown"


def demo_answers_and_stops(output: Path) -> None:
    began = time.monotonic()
    with output.open("wb") as sink:
        # The four providers stand in a row from the base port on, the faults' own port five below it.
        ports = ["--port", str(free_ports(1)), "--base-port", str(free_ports(9) + 5)]
        demo = subprocess.Popen([LASSO, "demo", *ports], stdout=sink, stderr=subprocess.STDOUT)
    try:
        url = endpoint(output, demo)
        number = first_answer(url)
        print(f"ok: {url} answered eth_blockNumber with {number} {time.monotonic() - began:.1f} s after the start")
        dashboard_came_along(url)
        print(f"ok: resident memory {resident_mib(demo.pid)} MiB")
        demo.send_signal(signal.SIGTERM)
        code = demo.wait(STOP_S)
        if code != 0:
            raise Failed(f"lasso demo ended with {code} after SIGTERM:\n{output.read_text(errors='replace')[-4000:]}")
        print("ok: SIGTERM ended it with exit code 0")
    finally:
        demo.kill()


def main() -> int:
    profiles = str(Path(sys.argv[1]).resolve())
    with tempfile.TemporaryDirectory(prefix="lasso-smoke-") as folder:
        os.chdir(folder)
        try:
            run("version")
            run("validate", profiles)
            demo_answers_and_stops(Path(folder, "demo.log"))
        except (Failed, subprocess.TimeoutExpired) as failure:
            print(f"smoke failed: {failure}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
