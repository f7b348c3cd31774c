"""Where a checker is missing, its test is not run, and nobody can overlook that."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.deploy.tools import ROOT


def test_a_checker_that_is_missing_is_named_at_the_end_though_the_tests_run_in_other_processes(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV_"))}
    environment |= {"PATH": str(tmp_path), "CI": "true"}
    command = [sys.executable, "-m", "pytest", "--numprocesses=1", "-p", "no:cacheprovider", "-k", "caddy_takes"]
    done = subprocess.run(
        [*command, "tests/deploy/test_proxies.py"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "!! NOT RUN: caddy is not installed (Debian: apt-get install caddy) (skipped: 1)" in done.stdout
