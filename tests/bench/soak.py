"""The soak: a node under mixed load for half an hour while its providers fail one after the other.

    nox -s soak                                   thirty minutes
    nox -s soak -- --minutes 2                    shows that it works, judges little
    nox -s soak -- --docs --json FILE             also docs/images/soak.svg and the figures in docs/security.md; as JSON

The node is a process of its own; its providers are simulated in this one. Exits 1 when memory, tasks or descriptors are
not flat after the warm-up, or when a call was lost while nothing was wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import attrs  # noqa: E402  (the folder above is found first)
import trio  # noqa: E402
from failover import start_lasso  # noqa: E402
from soak_faults import USUAL, Misfortune  # noqa: E402
from soak_figures import Fault, Lost, Sample, outside, trends, verdict  # noqa: E402
from soak_load import CHAIN, Load  # noqa: E402
from soak_plot import drawing  # noqa: E402

from lasso_trio.devnet import Chain, Devnet  # noqa: E402

PROFILE = f"""
slug: public
rps_limit: 1000000
burst_limit: 1000000
chains:
  {CHAIN}:
    chain_id: 31337
    block_time_ms: 1000
    providers:
"""
EVERY_S = 2.0
SETTLE_S = 3.0
BEGIN, END = "<!-- soak: begin -->", "<!-- soak: end -->"
_RSS = re.compile(r"VmRSS:\s+(\d+) kB")
_TASKS = re.compile(r"^lasso_tasks(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


@attrs.define(eq=False)
class Soak:
    minutes: float
    samples: list[Sample] = attrs.field(factory=list)
    faults: list[Fault] = attrs.field(factory=list)
    lost: list[Lost] = attrs.field(factory=list)
    calls: int = 0
    heads: int = 0

    async def run(self) -> None:
        async with Devnet.open(USUAL, chain=Chain(31337, 1.0, 1000)) as net:
            with tempfile.TemporaryDirectory() as folder:
                process, port = await trio.to_thread.run_sync(started, Path(folder), net)
                try:
                    await self._loaded(net, process, port)
                finally:
                    process.terminate()
                    await trio.to_thread.run_sync(process.wait, 30)

    async def _loaded(self, net: Devnet, process: subprocess.Popen[bytes], port: int) -> None:
        await trio.sleep(SETTLE_S)
        began = trio.current_time()
        load = Load(port, lambda: trio.current_time() - began)
        misfortune = Misfortune(net, load.now, lambda: os.kill(process.pid, signal.SIGHUP), self.faults)
        self.lost = load.lost
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drained, process)
            nursery.start_soon(load.run)
            nursery.start_soon(misfortune.run)
            while load.now() < self.minutes * 60:
                await trio.sleep(EVERY_S)
                self.samples.append(await trio.to_thread.run_sync(sampled, load.now(), load, process.pid, port))
                if len(self.samples) % 15 == 0:
                    print(f"{load.now():6.0f} s: {self.samples[-1]}", flush=True)
            self.calls, self.heads = load.calls, load.heads
            nursery.cancel_scope.cancel()


def started(folder: Path, net: Devnet) -> tuple[subprocess.Popen[bytes], int]:
    lines = [f"      - {{id: {n}, url: '{net.url(n)}', ws_url: '{net.ws_url(n)}'}}\n" for n in USUAL]
    return start_lasso(folder, "".join(lines), PROFILE, {"PYTHONPATH": str(ROOT)})


async def drained(process: subprocess.Popen[bytes]) -> None:
    """The node's log is read and thrown away, so that it never waits for us."""
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    os.set_blocking(descriptor, False)
    async with trio.lowlevel.FdStream(os.dup(descriptor)) as stream:
        while await stream.receive_some(1 << 20):
            pass


def sampled(at: float, load: Load, pid: int, port: int) -> Sample:
    rss = _RSS.search(Path(f"/proc/{pid}/status").read_text())
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
        tasks = _TASKS.search(reply.read().decode())
    if rss is None or tasks is None:
        raise RuntimeError("the node does not tell its memory or its tasks")
    descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    return Sample(at, int(rss[1]) / 1024, float(tasks[1]), descriptors, load.calls, len(load.lost))


def told(soak: Soak) -> list[str]:
    """The figures, as lines of Markdown."""
    inside = len(soak.lost) - len(outside(soak.lost, soak.faults))
    lines = ["| | middle | per hour | grown in the run | allowed |", "|---|---|---|---|---|"]
    lines += [
        f"| {t.name} | {t.middle:.1f} | {t.per_hour:+.1f} | {t.grown:+.2f} | {t.most:.1f} |"
        for t in trends(soak.samples)
    ]
    calls = f"{soak.calls} calls, {soak.heads} heads told to subscribers, {len(soak.faults)} faults"
    lost = f"{len(outside(soak.lost, soak.faults))} calls lost outside faults, {inside} during them"
    return [*lines, "", f"{soak.minutes:g} minutes: {calls}; {lost}."]


def write_docs(soak: Soak, lines: list[str]) -> None:
    picture = drawing(f"{soak.minutes:g} minutes under load and faults", lines[-1], soak.samples, soak.faults)
    (ROOT / "docs" / "images" / "soak.svg").write_text(picture, encoding="utf-8")
    page = ROOT / "docs" / "security.md"
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    shown = [*lines, "", "![memory, tasks and descriptors over the run](images/soak.svg)"]
    page.write_text(f"{before}{BEGIN}\n{chr(10).join(shown)}\n{END}{after}", encoding="utf-8")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="nox -s soak --")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    soak = Soak(given.minutes)
    trio.run(soak.run)
    lines, wrong = told(soak), verdict(soak.samples, soak.lost, soak.faults)
    print("\n".join(lines))
    for one in soak.lost[:10]:
        print(f"  lost at {one.at:.1f} s: {one.why}")
    if given.docs:
        write_docs(soak, lines)
    if given.json is not None:
        given.json.write_text(json.dumps(attrs.asdict(soak)), encoding="utf-8")
    print("\n".join(f"not passed: {what}" for what in wrong) or "passed: flat, and no call lost outside faults")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
