"""structlog, configured to write through one `LogSink`: JSON lines for machines, aligned text for people.

Every line has `timestamp` (ISO 8601, UTC, milliseconds), `level` and `event`; everything that goes in is scrubbed of
keys on the way. What other libraries say through `logging` (warnings and worse) takes the same way. Works before,
during and after `trio.run`; `Log.close` is bounded and also runs at exit.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Literal

import attrs
import msgspec
import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import Processor, WrappedLogger

from lasso_trio.telemetry.scrub import encodable, plain, printable, scrub
from lasso_trio.telemetry.sink import LogSink

Format = Literal["auto", "json", "pretty"]
Event = MutableMapping[str, Any]

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
CLOSE_S: Final = 1.0
MAX_TRACEBACK_CHARS: Final = 65_536

_encode = msgspec.json.Encoder().encode


@attrs.frozen
class Log:
    """What `configure` set up. `level`: the least that is written, as in `LEVELS`."""

    sink: LogSink
    pretty: bool
    level: int

    def share(self, worker: int | None, turn: AbstractContextManager[object]) -> None:
        """Others write to the same output: name the worker in each line (None: the parent's), and take turns."""
        if worker is not None:
            self.sink.sign = partial(_of_worker_pretty if self.pretty else _of_worker, worker)
        self.sink.turn = turn

    def flush(self, timeout: float = CLOSE_S) -> bool:
        return self.sink.flush(timeout)

    def close(self, timeout: float = CLOSE_S) -> bool:
        """Write what is queued, at most `timeout` seconds long. Later lines are lost."""
        return self.sink.close(timeout)


def configure(*, level: str = "info", format: Format = "auto", fd: int = 1) -> Log:  # noqa: A002  the setting's name
    """Set up logging for the process. `auto` is pretty when `fd` is a terminal. Unknown levels raise KeyError."""
    least = LEVELS[level]
    pretty = format == "pretty" or (format == "auto" and os.isatty(fd))
    with suppress(OSError, ValueError, AttributeError):  # closed, or None where there never was one
        sys.stdout.flush()  # what was printed so far stays in front
    sink = LogSink(fd)
    render = _pretty_renderer(os.isatty(fd)) if pretty else _render_json
    processors: list[Processor] = [_stamp, _pretty_exception if pretty else _structured_exception, render]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=lambda *names: _SinkLogger(sink, names[0] if names else ""),
        cache_logger_on_first_use=False,
    )
    _adopt_stdlib(max(least, logging.WARNING))
    sink.report_dropped = partial(_dropped_line, processors)
    sink.start()
    log = Log(sink, pretty, least)
    atexit.register(log.close)
    return log


class _SinkLogger:
    """What structlog calls at the end of its chain: one method for every level."""

    __slots__ = ("critical", "debug", "error", "exception", "info", "name", "warning")

    def __init__(self, sink: LogSink, name: str) -> None:
        self.name = name
        self.debug = self.info = self.warning = self.error = self.exception = self.critical = sink.push


# -- processors -------------------------------------------------------------------------------------------------------


def timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _stamp(logger: WrappedLogger, method: str, event: Event) -> Event:
    """Put the fixed members first, in the order people read them, and make the rest plain and free of keys."""
    stamped: Event = {"timestamp": timestamp(), "level": "error" if method == "exception" else method}
    stamped["event"] = plain(event.pop("event", ""))
    if name := getattr(logger, "name", ""):
        stamped["logger"] = name
    exc_info = event.pop("exc_info", None)
    stamped.update((encodable(name), plain(value)) for name, value in event.items())
    if exc_info:
        stamped["exc_info"] = exc_info
    return stamped


_as_dicts = structlog.processors.ExceptionRenderer(
    ExceptionDictTransformer(show_locals=False, max_frames=20)  # locals hold keys
)


def _structured_exception(logger: WrappedLogger, method: str, event: Event) -> Event:
    if "exc_info" in event:
        event = _as_dicts(logger, method, event)
        event["exception"] = plain(event.get("exception"))
    return event


def _pretty_exception(logger: WrappedLogger, method: str, event: Event) -> Event:
    if "exc_info" in event:
        event = structlog.processors.format_exc_info(logger, method, event)
    if isinstance(event.get("exception"), str):
        event["exception"] = scrub(event["exception"], MAX_TRACEBACK_CHARS)
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = printable(value, lines=name == "exception")
    return event


def _render_json(_logger: WrappedLogger, _method: str, event: Event) -> bytes:
    return _encode(event) + b"\n"


def _pretty_renderer(terminal: bool) -> Callable[[WrappedLogger, str, Event], bytes]:
    colors = terminal and "NO_COLOR" not in os.environ
    console = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)

    def render(logger: WrappedLogger, method: str, event: Event) -> bytes:
        return console(logger, method, event).encode() + b"\n"

    return render


def _dropped_line(processors: Sequence[Processor], count: int) -> bytes:
    """As any other event, for those who listen, but past the queue that was full. In the writer thread."""
    event: Any = {"event": "log.dropped", "lines": count}
    for process in tuple(processors):  # who listens comes and goes
        event = process(None, "warning", event)
    return bytes(event)


def _of_worker(worker: int, line: bytes) -> bytes:
    """`line` is one JSON object with at least one member."""
    return b'%b,"worker":%d}\n' % (line[:-2], worker)


def _of_worker_pretty(worker: int, line: bytes) -> bytes:
    return b"%d| %b" % (worker, line)


# -- logging of other libraries ---------------------------------------------------------------------------------------


class _FromStdlib(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        with suppress(Exception):  # what a library says about itself must never hurt the call it says it in
            structlog.get_logger(record.name).log(
                min(record.levelno, logging.CRITICAL), record.getMessage(), exc_info=record.exc_info or None
            )


def _adopt_stdlib(level: int) -> None:
    root = logging.root
    for handler in [h for h in root.handlers if isinstance(h, _FromStdlib)]:
        root.removeHandler(handler)
    root.addHandler(_FromStdlib(level))
