"""Where the figures come from: which core does what, whose processor time it was, and the machine in one line."""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import attrs

ROOT = Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")


@attrs.frozen
class Cores:
    """`server`: the target alone. `load`: the generator and the upstream."""

    server: int
    load: int

    @classmethod
    def of_this_machine(cls) -> Cores:
        allowed = sorted(os.sched_getaffinity(0))
        return cls(server=allowed[0], load=allowed[1] if len(allowed) > 1 else allowed[0])

    def __str__(self) -> str:
        if self.server == self.load:
            return f"ONE core ({self.server}) for everything: latencies include the generator's own work"
        return f"target on core {self.server}, generator and upstream on core {self.load}"


def process_tree(pid: int) -> list[int]:
    """`pid` and its descendants, as they are now."""
    parents = {int(entry.name): parent(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    tree = [pid]
    for known in tree:
        tree.extend(child for child, its_parent in parents.items() if its_parent == known)
    return tree


def parent(entry: Path) -> int:
    try:
        return int(after_name(entry)[1])
    except OSError:  # it ended while the others were read
        return 0


def after_name(entry: Path) -> list[str]:
    """The fields of /proc/<pid>/stat from the state on; the name before them may hold spaces."""
    return (entry / "stat").read_text().rpartition(")")[2].split()


def cpu_seconds(pids: list[int]) -> float:
    """User and system time of these processes, all threads, ended ones too. Steps of 10 ms."""
    fields = [after_name(Path("/proc", str(pid))) for pid in pids]
    return sum(int(stat[11]) + int(stat[12]) for stat in fields) / TICKS


def resident_mib(pids: list[int]) -> float:
    texts = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
    return sum(int(found) for text in texts for found in re.findall(r"VmRSS:\s+(\d+)", text)) / 1024


def describe(cores: Cores) -> str:
    """One line: processor, cores, versions, date, commit, who ran where."""
    versions = f"Python {platform.python_version()}, Linux {platform.release()}, {nginx_version()}"
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{processor()}, {os.cpu_count()} cores; {versions}; {now}; commit {commit()}; {cores}"


def processor() -> str:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return found.group(1) if found else platform.machine()


def nginx_path() -> str | None:
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def nginx_version() -> str:
    nginx = nginx_path()
    if nginx is None:
        return "no nginx"
    return subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True).stderr.partition(": ")[2].strip()


def commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    changed = " with changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    return (git("rev-parse", "--short", "HEAD") or "unknown") + changed
