"""From a configuration to an exit code: signals, logging, and what is raised when a node cannot start."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from typing import Any

import pytest
import trio

from lasso_trio import serving
from lasso_trio.app import App
from lasso_trio.config.settings import Settings
from lasso_trio.serving import run, watch_signals
from lasso_trio.telemetry.log import configure
from lasso_trio.telemetry.node import Readiness
from tests.test_app import PROFILES, ended, make


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_the_node(nursery: trio.Nursery, number: signal.Signals) -> None:
    app = make()
    await nursery.start(watch_signals, app)
    await nursery.start(app.run)
    signal.raise_signal(number)
    await ended(app)
    nursery.cancel_scope.cancel()


def _serve_until(monkeypatch: pytest.MonkeyPatch, act: Callable[[App], None], **settings: Any) -> int:  # noqa: ANN401
    make_app = App.make

    def make(*args: Any, **options: Any) -> App:  # noqa: ANN401
        app = make_app(*args, **options)
        trio.lowlevel.spawn_system_task(_act_when_ready, app, act)
        return app

    monkeypatch.setattr(App, "make", make)
    monkeypatch.setattr(serving, "configure", lambda **_: configure(level="error", format="json"))
    return serving.serve(Settings(port=0, **settings), PROFILES)


async def _act_when_ready(app: App, act: Callable[[App], None]) -> None:
    while app.node.readiness is not Readiness.READY:  # noqa: ASYNC110 (nothing announces it from inside)
        await trio.sleep(0.005)
    act(app)


def test_serve_returns_0_when_it_was_told_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _serve_until(monkeypatch, lambda _: signal.raise_signal(signal.SIGTERM)) == 0


def test_several_workers_without_a_parent_are_a_mistake_of_ours() -> None:
    with pytest.raises(RuntimeError, match="parent"):
        serving.serve(Settings(workers=2), PROFILES)


def test_an_address_in_use_is_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "configure", lambda **_: configure(level="error", format="json"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            serving.serve(Settings(port=taken.getsockname()[1]), PROFILES)


def test_run_raises_a_lone_error_as_itself() -> None:
    async def fail(error: Exception) -> None:
        async with trio.open_nursery() as outer, trio.open_nursery() as inner:
            inner.start_soon(_raise, error)
            outer.start_soon(trio.sleep_forever)

    with pytest.raises(ValueError, match="alone"):
        run(fail, ValueError("alone"))


def test_run_leaves_several_errors_as_they_are() -> None:
    async def fail() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_raise, ValueError("one"))
            nursery.start_soon(_raise, KeyError("two"))

    with pytest.raises(ExceptionGroup):
        run(fail)


async def _raise(error: Exception) -> None:
    raise error
