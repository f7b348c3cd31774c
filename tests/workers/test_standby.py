"""The process that waits: what it says and reads, what it becomes, and what it has imported until then."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import msgspec
import pytest

from lasso_trio.config.settings import Settings
from lasso_trio.workers import post as posts
from lasso_trio.workers import standby as module
from lasso_trio.workers.frame import PARENT, Frame, FrameReader, Kind, encoded, greeting
from lasso_trio.workers.post import Post
from lasso_trio.workers.process import NOBODY, STANDBY
from lasso_trio.workers.standby import POST, WAITS, become_worker, needed_for, wait

THEIRS = Post(worker=1, bus=7, workers=3, turn=8, port=5000, ops_port=None, secret="s" * 86)
TOLD = encoded(Frame(Kind.TELL, PARENT, 1, POST, msgspec.json.encode(THEIRS)))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The parent's end and the standby's."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def _signals() -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


Pair = tuple[socket.socket, socket.socket]


def test_it_greets_and_takes_its_post_and_leaves_what_follows_to_the_worker(pair: Pair) -> None:
    parents, own = pair
    parents.sendall(TOLD + b"an order")
    assert wait(own) == THEIRS
    assert own.recv(100) == b"an order"
    ((frame, _),) = FrameReader().feed(parents.recv(1000))
    assert frame == Frame(Kind.TELL, NOBODY, PARENT, WAITS, greeting())


@pytest.mark.parametrize("said", [b"", TOLD[:3], TOLD[:20], encoded(Frame(Kind.TELL, PARENT, 1, "another", b""))])
def test_without_a_whole_post_nobody_needs_it(pair: Pair, said: bytes) -> None:
    parents, own = pair
    parents.sendall(said)
    parents.shutdown(socket.SHUT_WR)
    assert wait(own) is None


def test_a_parent_that_died_before_it_was_greeted_does_not_need_it_either(pair: Pair) -> None:
    parents, own = pair
    parents.close()
    assert wait(own) is None


@pytest.mark.usefixtures("_signals")
def test_with_a_post_it_finds_what_a_started_worker_finds(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[tuple[str, ...]] = []
    monkeypatch.setattr(module, "prepare", lambda *also: prepared.append(also))
    parents, own = pair
    number = own.detach()
    environment = {"PATH": "/bin", STANDBY: f"{number} coredis.connection"}
    parents.sendall(TOLD)
    assert become_worker(environment)
    assert prepared == [("coredis.connection",)]
    assert environment == {"PATH": "/bin", **THEIRS.to_environment()}
    assert posts.taken(environment) == THEIRS
    with socket.socket(fileno=number) as kept:  # for the worker
        parents.sendall(b"x")
        assert kept.recv(1) == b"x"


@pytest.mark.usefixtures("_signals")
def test_what_a_terminal_sends_to_all_is_not_for_it_and_sigterm_ends_it(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "prepare", lambda: None)
    parents, own = pair
    number = own.detach()
    parents.shutdown(socket.SHUT_WR)
    assert not become_worker({STANDBY: str(number)})
    assert signal.getsignal(signal.SIGINT) == signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(number)


def test_what_only_some_nodes_import_is_imported_for_them() -> None:
    assert needed_for(Settings()) == ()
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    assert needed_for(Settings.from_env({"LASSO_REDIS_URL": "redis://127.0.0.1"})) == ("coredis.connection",)
    assert needed_for(Settings.from_env(traced)) == ("lasso_trio.tracing.collector",)


IMPORTS = """
import ast, gc, json, sys
from pathlib import Path
import lasso_trio
from lasso_trio.workers.standby import needed_for, prepare
from lasso_trio.config.settings import Settings

room = Path(lasso_trio.__file__).parent
before = len(list(Path("/proc/self/fd").iterdir()))
asked = {"LASSO_REDIS_URL": "redis://127.0.0.1", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
prepare(*needed_for(Settings.from_env(asked)))
files = [room / f"{name}.py" for name in ("app", "joining", "serving", "sharing", "tracing/tracing", "shared/line")]
trees = [ast.walk(ast.parse(file.read_text())) for file in files]
named = {node.module for tree in trees for node in tree if isinstance(node, ast.ImportFrom) and node.module}
opened = len(list(Path("/proc/self/fd").iterdir())) - before
print(json.dumps([sorted(name for name in named if name not in sys.modules), gc.get_freeze_count(), opened]))
"""


def test_it_has_imported_all_that_a_worker_is_joined_of_and_opened_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, check=True, timeout=50)
    missing, frozen, opened = json.loads(done.stdout)
    assert (missing, opened, done.stderr) == ([], 0, b"")
    assert frozen > 10_000
