"""SIGSTOP, and the certainty that it has worked: a process with threads goes on for as long as the kernel needs to
reach each of them, which on a busy machine is long enough for an answer.
"""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Final

STOP_S: Final = 30.0


def stop(process: subprocess.Popen[bytes]) -> None:
    """Returns when none of its threads runs any more. Linux only, as all of this."""
    process.send_signal(signal.SIGSTOP)
    end = time.monotonic() + STOP_S
    while not all(state == "T" for state in _states(process.pid)):
        assert time.monotonic() < end, "it does not stop"
        time.sleep(0.001)


def _states(pid: int) -> list[str]:
    """Each thread's, one letter each: the third field of its `stat` (proc(5)), after a name that may hold anything."""
    tasks = Path(f"/proc/{pid}/task").glob("*/stat")
    return [task.read_text().rpartition(")")[2].split()[0] for task in tasks]
