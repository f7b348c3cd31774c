"""What the deployment's files are checked with, and where they are.

Checkers from PyPI are in the development lock and stand beside the environment's Python; nginx is offered by
`scripts/test`: under CI=true these must be there. The others are nobody's to install here: where one is missing its
tests are skipped, and the end of the run names it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.e2e import toolbox

ROOT: Final = Path(__file__).resolve().parents[2]
DEPLOY: Final = ROOT / "deploy"
_PATH: Final = f"{Path(sys.executable).parent}:{toolbox._PATH}"
RUN_S: Final = 50.0

HOW: Final = {
    "caddy": "Debian: apt-get install caddy",
    "check-jsonschema": "scripts/test installs it",
    "hadolint": "scripts/test installs it",
    "kubectl": "from kubernetes.io",
    "kubernetes-validate": "scripts/test installs it",
    "logrotate": "Debian: apt-get install logrotate",
    "promtool": "Debian: apt-get install prometheus",
    "systemd-analyze": "Debian: apt-get install systemd",
}

LOCKED: Final = frozenset({"check-jsonschema", "hadolint", "kubernetes-validate"})


def tool(name: str) -> str:
    """The path of one of `HOW`'s tools. Skips the test where it is not there, or fails it."""
    found = shutil.which(name, path=_PATH)
    if found is not None:
        return found
    reason = f"{name} is not installed ({HOW[name]})"
    if name in LOCKED:
        toolbox.lacking(reason)
    pytest.skip(reason)


def checked(*command: str | Path) -> str:
    """Run a checker; what it said. Fails the test when the checker is not content."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=RUN_S, check=False
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}"
    return done.stdout


def documents(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(text) if document is not None]


def variables(text: str) -> dict[str, str]:
    """The assignments of an environment file."""
    lines = (line.strip() for line in text.splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
