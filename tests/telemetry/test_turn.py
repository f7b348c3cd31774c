"""Several processes take turns at one output."""

from __future__ import annotations

import os
import subprocess
import sys

from lasso_trio.telemetry.turn import Turn

WRITES = """
import os, sys
from lasso_trio.telemetry.turn import Turn
turn, out, mark = Turn(int(sys.argv[1])), int(sys.argv[2]), sys.argv[3]
for _ in range(40):
    with turn:
        line = memoryview((mark * 30_000 + "\\n").encode())
        while line:
            line = line[os.write(out, line[:700]):]
"""


def test_no_line_of_one_process_stands_in_anothers() -> None:
    turn, (reading, writing) = os.memfd_create("turn"), os.pipe()
    command = [sys.executable, "-c", WRITES, str(turn), str(writing)]
    writers = [subprocess.Popen([*command, mark], pass_fds=(turn, writing)) for mark in "ab"]
    os.close(writing)
    with open(reading, "rb") as lines:
        written = [line.rstrip() for line in lines]
    assert [writer.wait() for writer in writers] == [0, 0]
    os.close(turn)
    assert sorted(written) == [b"a" * 30_000] * 40 + [b"b" * 30_000] * 40


def test_who_died_at_its_turn_holds_up_nobody() -> None:
    turn = os.memfd_create("turn")
    dies = f"import os, lasso_trio.telemetry.turn as t; t.Turn({turn}).__enter__(); os._exit(0)"
    assert subprocess.run([sys.executable, "-c", dies], pass_fds=(turn,), check=True).returncode == 0
    with Turn(turn):
        pass
    os.close(turn)


def test_lines_that_may_be_torn_are_better_than_none() -> None:
    with Turn(1_000_000_000):
        pass
