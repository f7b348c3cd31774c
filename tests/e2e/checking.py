"""What `lasso check` needs around it: an environment as in production, a demo or nodes to look at, and itself."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import attrs

from tests.e2e.anvil import CHAIN_ID
from tests.e2e.lasso import CHAIN, PROFILE
from tests.e2e.neighbours import Neighbour
from tests.e2e.toolbox import ROOT

SECRET: Final = "Zq8vXn3LrT5wYb7KfH2jM9pDc4sGa6eUoIxRtWyEuPlSkBmVhNdQzCgAi1J0F-_86"
TOKEN: Final = "0123456789abcdefgh"
START_S: Final = 60.0
CHECK_S: Final = 100.0
SMALL: Final = {"rps": 10, "burst": 100}
"""A client limit that 150 calls at once exceed."""
RUNBOOK: Final = "# Runbook\nRestarting. Troubleshooting. The dashboard. Common issues.\n"
_OURS: Final = re.compile(r"LASSO_.*|CLUSTER_.*|PHX_.*|PORT|SECRET_KEY_BASE|SSL_CERT_.*|GIT_.*|.*_proxy", re.IGNORECASE)


def production(port: int, ops_port: int) -> dict[str, str]:
    """A whole environment for one node behind nginx on this machine."""
    return {
        "LASSO_ENV": "prod",
        "SECRET_KEY_BASE": SECRET,
        "PHX_HOST": "rpc.example.com",
        "PHX_SERVER": "true",
        "LASSO_NODE_ID": "us-east-1",
        "PORT": str(port),
        "LASSO_OPS_PORT": str(ops_port),
        "LASSO_ADMIN_TOKEN": TOKEN,
        "LASSO_DASHBOARD_PASSWORD": "a-long-password",
        "LASSO_TRUSTED_PROXIES": "127.0.0.1/32",
        "LASSO_LOG_FORMAT": "json",
        "LASSO_GRACE_S": "3",
    }


def clean(env: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without what is ours, and `env`."""
    kept = {name: value for name, value in os.environ.items() if not _OURS.fullmatch(name)}
    return {**kept, "PYTHONPATH": str(ROOT), **env}


@attrs.frozen
class Checked:
    """What it said, by the rows' ids."""

    code: int
    report: Mapping[str, Any]
    rows: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, code: int, out: str, err: str) -> Checked:
        assert out.startswith("{"), f"exit code {code}: {err}"
        report = json.loads(out)
        return cls(code, report, {row["id"]: row for row in report["checks"]})

    def in_state(self, state: str) -> set[str]:
        return {id_ for id_, row in self.rows.items() if row["state"] == state}

    def why(self, state: str) -> dict[str, str]:
        return {id_: row["why"] for id_, row in self.rows.items() if row["state"] == state}


def started(folder: Path, env: Mapping[str, str], *words: str) -> subprocess.Popen[str]:
    """`lasso check --json` in `folder`, going on."""
    command = [sys.executable, "-m", "lasso_trio", "check", "--json", *words]
    return subprocess.Popen(
        command, cwd=folder, env=clean(env), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def checked(folder: Path, env: Mapping[str, str], *words: str) -> Checked:
    """The same, to its end."""
    with started(folder, env, *words) as process:
        out, err = process.communicate(timeout=CHECK_S)
    return Checked.of(process.returncode, out, err)


@contextmanager
def demo(folder: Path, env: Mapping[str, str]) -> Iterator[None]:
    """`lasso demo` on `PORT`, whose log is in `folder/lasso.log`; beside it the profile that it serves."""
    (folder / "profiles").mkdir(parents=True)
    shutil.copy(ROOT / "profiles" / "demo.yml", folder / "profiles")
    command = [sys.executable, "-m", "lasso_trio", "demo", "--base-port", "0"]
    with (folder / "lasso.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=clean(env), stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{env['PORT']}/api/ready", process)
        yield
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            assert process.poll() is None, f"it ended with {process.returncode}"
            assert time.monotonic() < end, "it does not get ready"
            time.sleep(0.05)


@attrs.define(eq=False)
class Node(Neighbour):
    """One node of a cluster, in production: two providers, a small client limit, an operators' port, a password."""

    urls: Mapping[str, str] = attrs.field(factory=dict)
    ops_port: int = 0
    access: str = ""
    """Lines of its profile that say who may call."""

    @property
    def environment(self) -> dict[str, str]:
        """Also for the check."""
        return production(self.port, self.ops_port) | self._env()

    def _started(self, command: list[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
        head = PROFILE.format(chain=CHAIN, chain_id=CHAIN_ID, settings="", **SMALL)
        rows = "".join(
            f"      - {{id: {id_}, url: '{url}', ws_url: '{url.replace('http', 'ws', 1)}'}}\n"
            for id_, url in self.urls.items()
        )
        (self.folder / "profiles" / "public.yml").write_text(self.access + head + rows)
        return super()._started(command, env | self.environment)
