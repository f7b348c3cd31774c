"""The service manager is played by a datagram socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from lasso_trio import notify
from lasso_trio.app import App
from lasso_trio.config.profile import Chain, Profile, Provider
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.config.settings import Settings
from lasso_trio.telemetry.node import Readiness

NOBODY = Provider("nobody", "Nobody", "1:nobody:0", SecretUrl("http://127.0.0.1:9"))
PROFILES = ProfileSet.of([Profile("public", "Public", (Chain("one", 1, "One", (NOBODY,)),))])


@contextmanager
def service_manager(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as inbox:
        inbox.bind(address)
        inbox.setblocking(False)
        yield inbox


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with service_manager(str(tmp_path / "notify")) as inbox:
        yield inbox


def test_a_state_reaches_the_socket_that_the_environment_names(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with service_manager(path) as inbox:
        assert notify.tell(notify.READY, {"NOTIFY_SOCKET": path})
        assert inbox.recv(100) == b"READY=1"


def test_an_at_sign_means_the_abstract_namespace(tmp_path: Path) -> None:
    with service_manager(f"\0{tmp_path}") as inbox:
        assert notify.tell(notify.STOPPING, {"NOTIFY_SOCKET": f"@{tmp_path}"})
        assert inbox.recv(100) == b"STOPPING=1"


def test_nobody_to_tell_is_no_failure(tmp_path: Path) -> None:
    assert not notify.tell(notify.READY, {})
    assert not notify.tell(notify.READY, {"NOTIFY_SOCKET": ""})
    assert not notify.tell(notify.READY, {"NOTIFY_SOCKET": "vsock:2:1234"})
    assert not notify.tell(notify.READY, {"NOTIFY_SOCKET": str(tmp_path / "gone")})


def test_a_service_manager_that_does_not_read_holds_nobody_up(tmp_path: Path) -> None:
    path = str(tmp_path / "notify")
    with service_manager(path):
        told = [notify.tell(b"STATUS=" + b"x" * 50_000, {"NOTIFY_SOCKET": path}) for _ in range(100)]
    assert told[0]
    assert not told[-1]


async def test_a_node_says_that_it_is_ready_and_that_it_stops(nursery: trio.Nursery, manager: socket.socket) -> None:
    app = App.make(Settings(port=0, grace_s=1.0, probes=False), PROFILES)
    await nursery.start(app.run)
    assert app.node.readiness is Readiness.READY
    assert manager.recv(100) == b"READY=1"
    app.stop()
    with trio.fail_after(5):
        await app.stopped.wait()
    assert manager.recv(100) == b"STOPPING=1"
