"""The real programs the tests need, and what happens where one is missing.

Locally a test without its tool is skipped, and the end of the run (tests/conftest.py) says so in capitals; under
CI=true it fails, because there a skipped test is a test nobody runs.
"""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from random import Random
from typing import Final, NoReturn

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
TOOLBOX: Final = Path(os.environ.get("E2E_TOOLBOX", ROOT / ".toolbox"))
_BUNDLED_ANVIL: Final = TOOLBOX / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
_PATH: Final = f"{os.environ.get('PATH', '')}:/usr/sbin"  # where Debian keeps nginx, off a user's path

_dice: Final = Random()
_given: Final = set[int]()


def lacking(reason: str) -> NoReturn:
    """Give the test up: it cannot be run here. Raises pytest's skip, or its failure under CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}; under CI=true everything must run", pytrace=False)
    pytest.skip(reason)


def anvil() -> Path:
    binary = Path(os.environ.get("E2E_ANVIL", _BUNDLED_ANVIL))
    if not binary.is_file():
        lacking(f"no anvil at {binary} (scripts/test fetches it)")
    return binary


def library(name: str) -> tuple[str, Path]:
    """Node's binary, and the folder whose node_modules hold the library `name`."""
    node = shutil.which("node", path=_PATH)
    if node is None:
        lacking("node is not installed")
    if not (TOOLBOX / "node_modules" / name).is_dir():
        lacking(f"no {name} in {TOOLBOX} (scripts/test fetches it)")
    return node, TOOLBOX


def _installed(name: str, package: str) -> str:
    binary = shutil.which(name, path=_PATH)
    if binary is None:
        lacking(f"{name} is not installed (Debian: apt-get install {package})")
    return binary


def nginx() -> str:
    return _installed("nginx", "nginx-light")


def promtool() -> str:
    return _installed("promtool", "prometheus")


def redis_server() -> str:
    return _installed("redis-server", "redis-server")


def slowhttptest() -> str:
    return _installed("slowhttptest", "slowhttptest")


def free_port(*hosts: str) -> int:
    """A port nobody listens on, at none of `hosts` (127.0.0.1), below those the kernel gives to clients: a restarted
    server finds it free again. Each is given once, for whoever got it may not listen yet.
    """
    while True:
        port = _dice.randrange(20_000, 32_000)
        if port not in _given and all(_is_free(host, port) for host in hosts or ("127.0.0.1",)):
            _given.add(port)
            return port


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
