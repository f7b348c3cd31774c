"""A node from its configuration to its exit code: logging, the catalogue, `trio.run`, and the signals that end it.

    SIGTERM, SIGINT   drain, and when it comes again cut       SIGHUP   read the profiles again

A node of one process, or one worker of several, which obeys its parent instead of signals. The parent itself is
`workers.parent`, which needs nothing of this and so imports none of it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import structlog
import trio

from lasso_trio import descriptors
from lasso_trio.app import App
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.settings import Settings
from lasso_trio.metrics.traces import read_traces
from lasso_trio.providers.catalogue import use
from lasso_trio.providers.own_catalogue import load_over
from lasso_trio.server.batch import Record
from lasso_trio.server.call_teller import CallTeller
from lasso_trio.telemetry.call_record import CallLog
from lasso_trio.telemetry.log import Log, configure
from lasso_trio.telemetry.loop import settle_memory
from lasso_trio.tracing.tracing import Tracing, check, service_of, tracing

if TYPE_CHECKING:  # a node of one process does not have it
    from lasso_trio.workers.post import Post

log = structlog.get_logger(__name__)


async def watch_signals(app: App, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        task_status.started()
        async for number in signals:
            log.info("node.signal", signal=signal.Signals(number).name)
            if number == signal.SIGHUP:
                app.reloading.ask("SIGHUP")
            else:
                app.stop()


async def _main(settings: Settings, profiles: ProfileSet, log_: Log) -> None:
    async with tracing(settings) as traced, trio.open_nursery() as root:
        app = App.make(settings, profiles, tell_calls(log_, settings, traced), service=service_of(traced))
        show(app, traced)
        await root.start(watch_signals, app)
        await root.start(app.run)
        settle_memory()
        await app.stopped.wait()
        root.cancel_scope.cancel()


async def _work(settings: Settings, profiles: ProfileSet, log_: Log, post: Post) -> None:
    """As `_main`, at the word of the parent."""
    from lasso_trio.workers import worker
    from lasso_trio.workers.reload import reload_node

    bus = post.open_bus()
    reload = partial(reload_node, bus)
    async with tracing(settings) as traced, trio.open_nursery() as root:
        record, service = tell_calls(log_, settings, traced), service_of(traced)
        app = App.make(settings, profiles, record, bus=bus, reload=reload, service=service)
        show(app, traced)
        worker.obey(bus, app)
        await root.start(worker.watch_signals, app)
        await root.start(app.run)
        settle_memory()
        worker.tell_ready(bus)
        await app.stopped.wait()
        root.cancel_scope.cancel()


def tell_calls(log_: Log, settings: Settings, traced: Tracing | None = None) -> Record:
    teller = CallTeller(CallLog(log_, settings.log_sample_rate))
    return teller if traced is None else traced.teller(teller)


def show(app: App, traced: Tracing | None) -> None:
    """Have it told in the metrics what becomes of traces."""
    if traced is not None:
        app.operators.exporter.readers.append(partial(read_traces, traced.tally))


def run(main: Callable[..., Awaitable[None]], *args: object) -> None:
    """`trio.run`, raising a lone error as itself: an address in use is no group of accidents."""
    try:
        trio.run(main, *args)
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        raise error from None  # noqa: ASYNC123  (what it was wrapped in says nothing more)


def serve(settings: Settings, profiles: ProfileSet) -> int:
    """Run a node until it is told to stop, or one worker of it if its parent started us. Returns the exit code.

    Raises OSError when the address cannot be had, ConfigError when the error catalogue's own rows are wrong.
    """
    check(settings)
    if settings.workers == 1:
        return _serve(settings, profiles, None)
    from lasso_trio.workers.post import taken

    post = taken(os.environ)
    if post is None:
        raise RuntimeError("a node of several workers begins with their parent")
    return _serve(post.settled(settings), profiles, post)


def _serve(settings: Settings, profiles: ProfileSet, post: Post | None) -> int:
    log_ = configure(level=settings.log_level, format=settings.log_format.value)
    if post is not None:
        log_.share(post.worker, post.open_turn())
    try:
        descriptors.check(descriptors.raise_limit(), settings.max_connections)
        for slug in profiles.profiles:
            log.info(f"Loaded profile: {slug}")
        if settings.catalogue_file is not None:
            use(load_over(settings.catalogue_file))
        if post is None:
            run(_main, settings, profiles, log_)
        else:
            run(_work, settings, profiles, log_, post)
    finally:
        log_.close()
    return 0
