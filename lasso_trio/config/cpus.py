"""How many CPUs this process may use: what the scheduler lets it run on, and no more than its container was given.

A container's share is a quota of its control group, which `os.cpu_count` does not know. A share of less than one CPU
is one.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Final

CGROUP: Final = Path("/sys/fs/cgroup")


def usable_cpus(cgroup: Path = CGROUP) -> int:
    """At least 1. `cgroup`: where the control group's files are, as a container sees its own."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = _share(cgroup)
    return allowed if share is None else max(1, min(allowed, math.ceil(share)))


def _share(cgroup: Path) -> float | None:
    """CPUs that the quota comes to; None: there is none, or it cannot be read."""
    try:
        if (unified := cgroup / "cpu.max").exists():  # version 2: "max 100000" or "150000 100000"
            quota, period = unified.read_text().split()
        else:
            quota = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text()  # version 1: -1 is none
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text()
        share = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
    return share if share > 0 else None
