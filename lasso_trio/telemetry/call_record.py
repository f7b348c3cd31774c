"""The line `rpc.request.completed`: one per call (or one per sampled call), in the documented schema.

Being on the path of each call, the loop only decides (`CallLog.wants`) and, if so, leaves one `CallRecord` in the sink;
formatting, encoding and writing happen in the writer thread. What is the same for all calls of a plan is a `CallScope`,
made once, with the candidates already encoded.

Build a `CallRecord` with positional arguments: keywords cost seven times as much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from random import Random
from time import gmtime, strftime, time_ns
from typing import Final, Protocol

import msgspec

from lasso_trio.telemetry.log import LEVELS, Log
from lasso_trio.telemetry.scrub import encodable, printable, scrub
from lasso_trio.telemetry.sink import LogSink

EVENT: Final = "rpc.request.completed"
SLOW_S: Final = 2.0
MAX_METHOD_CHARS: Final = 128
MAX_REQUEST_ID_CHARS: Final = 200
"""As many as a client's own may have (`server.request_id`): a line is found by the whole of it."""
MAX_ERROR_CHARS: Final = 256
FAILOVERS_PER_S: Final = 20
"""So many calls that failed over are logged in a second whatever the sample rate; those beyond are sampled."""

_RESULT_TYPES: Final = {
    **dict.fromkeys(b"-0123456789", "number"),
    ord('"'): "string",
    ord("{"): "object",
    ord("["): "array",
    ord("t"): "boolean",
    ord("f"): "boolean",
    ord("n"): "null",
}

_encode = msgspec.json.Encoder().encode


class CallScope(msgspec.Struct, frozen=True, gc=False):
    """What all calls of one plan share. `candidates`: see `encode_candidates`."""

    profile: str
    strategy: str
    chain: str
    chain_id: int
    candidates: msgspec.Raw


def encode_candidates(provider_ids: Iterable[str]) -> msgspec.Raw:
    """The ids in the order of the plan, as JSON text: done once per plan, copied into each line."""
    return msgspec.Raw(_encode(list(provider_ids)))


class Missed(Protocol):
    """An attempt that failed before another was made."""

    @property
    def provider(self) -> str: ...
    @property
    def transport(self) -> str: ...
    @property
    def category(self) -> str: ...


class CallRecord(msgspec.Struct, gc=False):
    """One finished call. Times are seconds; `result_byte` is the first byte of the result's JSON, 0 when there is none.

    `transport`: how the client spoke; `provider`, `protocol`: who answered last, and how it was asked. An error is one
    with a `category`. `ended_ns`: wall clock; set by `CallLog.push`.
    """

    scope: CallScope
    request_id: str
    transport: str
    method: str
    params_present: bool
    provider: str | None
    protocol: str | None
    selection_reason: str
    retries: int
    breaker_state: str
    selection_s: float
    upstream_s: float
    total_s: float
    result_byte: int
    result_size: int
    error_code: int | None = None
    error_message: str = ""
    error_category: str = ""
    ended_ns: int = 0
    hedges: int = 0
    hedge_won: bool = False
    client: str = ""
    """Who called, by the name of its key or token."""
    trace_id: str = ""
    """Of the trace that the call's spans are in; 32 hexadecimal digits."""
    missed: Sequence[Missed] = ()
    behind: int = 0
    """So many of the retries followed an answer that was below the session's floor, and no failure."""

    @property
    def level(self) -> str:
        is_bad = self.error_category or self.retries > self.behind or self.total_s > SLOW_S
        return "warning" if is_bad else "info"


class CallLog:
    """`sample_rate`: share (0…1) of good and quick calls that is logged; failed ones and those over 2 s always are, and
    those that failed over as long as they are not too many.
    """

    __slots__ = ("_all", "_dice", "_failovers", "_good", "_second", "_sink", "_troubled", "sample_rate")

    def __init__(self, log: Log, sample_rate: float = 1.0, rng: Random | None = None) -> None:
        self.sample_rate = sample_rate
        self._sink: LogSink = log.sink
        self._dice: Callable[[], float] = (rng or Random()).random
        self._good = sample_rate > 0 and log.level <= LEVELS["info"]
        self._all = sample_rate >= 1
        self._second = self._failovers = 0
        self._troubled = log.level <= LEVELS["warning"]
        log.sink.render_with(CallRecord, pretty_line if log.pretty else json_line)

    def wants(self, failed: bool, total_s: float, failovers: int = 0, now: float = 0.0) -> bool:
        """Whether this call is to be logged: ask before building its record. `now`: seconds of any clock.

        `failovers`: retries that followed a failure.
        """
        if failed or total_s > SLOW_S:
            return self._troubled
        if failovers > 0 and self._has_room(now):
            return self._troubled
        return self._good and (self._all or self._dice() < self.sample_rate)

    def _has_room(self, now: float) -> bool:
        """Whether one more call that failed over is logged in this second, whatever the dice say."""
        second = int(now)
        if second != self._second:
            self._second, self._failovers = second, 0
        self._failovers += 1
        return self._failovers <= FAILOVERS_PER_S

    def push(self, record: CallRecord) -> None:
        record.ended_ns = time_ns()
        self._sink.push(record)


# -- the JSON line ----------------------------------------------------------------------------------------------------


class _Provider(msgspec.Struct, gc=False):
    id: str
    protocol: str | None


class _FailedAttempt(msgspec.Struct, gc=False):
    id: str
    protocol: str
    category: str


class _Routing(msgspec.Struct, gc=False, omit_defaults=True):
    candidate_providers: msgspec.Raw
    selected_provider: _Provider | None
    selection_reason: str
    retries: int
    circuit_breaker_state: str
    hedges: int = 0
    hedge_won: bool = False
    failed_attempts: list[_FailedAttempt] = []
    behind: int = 0


class _Timing(msgspec.Struct, gc=False):
    selection_latency_ms: float
    upstream_latency_ms: float
    end_to_end_latency_ms: float


class _Error(msgspec.Struct, gc=False):
    code: int | None
    message: str
    category: str


class _Response(msgspec.Struct, gc=False, omit_defaults=True):
    status: str
    result_type: str | None = None
    result_size_bytes: int | None = None
    error: _Error | None = None


class _Line(msgspec.Struct, gc=False, omit_defaults=True):
    event: str
    timestamp: str
    level: str
    request_id: str
    profile: str
    strategy: str
    chain: str
    chain_id: int
    transport: str
    jsonrpc_method: str
    params_present: bool
    routing: _Routing
    timing: _Timing
    response: _Response
    client: str = ""
    trace_id: str = ""


def json_line(record: CallRecord) -> bytes:
    """The record as one line of JSON."""
    try:
        return _encode(_line(record)) + b"\n"
    except UnicodeEncodeError:  # a lone surrogate in a name that a client made up
        record.method = encodable(record.method)
        record.request_id = encodable(record.request_id)
        return _encode(_line(record)) + b"\n"


def _line(r: CallRecord) -> _Line:
    scope = r.scope
    return _Line(
        EVENT,
        timestamp(r.ended_ns),
        r.level,
        r.request_id[:MAX_REQUEST_ID_CHARS],
        scope.profile,
        scope.strategy,
        scope.chain,
        scope.chain_id,
        r.transport,
        r.method[:MAX_METHOD_CHARS],
        r.params_present,
        _Routing(
            scope.candidates,
            None if r.provider is None else _Provider(r.provider, r.protocol),
            r.selection_reason,
            r.retries,
            r.breaker_state,
            r.hedges,
            r.hedge_won,
            [_FailedAttempt(m.provider, m.transport, m.category) for m in r.missed],
            r.behind,
        ),
        # Milliseconds, cut to the microsecond: rounding costs more than all the rest of the numbers.
        _Timing(int(r.selection_s * 1e6) / 1000, int(r.upstream_s * 1e6) / 1000, int(r.total_s * 1e6) / 1000),
        _error(r) if r.error_category else _Response("success", _RESULT_TYPES.get(r.result_byte), r.result_size),
        r.client,
        r.trace_id,
    )


def _error(r: CallRecord) -> _Response:
    error = _Error(r.error_code, scrub(r.error_message, MAX_ERROR_CHARS), r.error_category)
    return _Response("error", None, r.result_size or None, error)


def timestamp(ns: int) -> str:
    """Nanoseconds since 1970 as ISO 8601, UTC, with milliseconds."""
    ms = ns // 1_000_000
    return _whole_second(ms // 1000) + _MILLISECONDS[ms % 1000]


@lru_cache(4)
def _whole_second(seconds: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S.", gmtime(seconds))


_MILLISECONDS: Final = tuple(f"{ms:03d}Z" for ms in range(1000))


# -- the line for people ----------------------------------------------------------------------------------------------


def pretty_line(r: CallRecord) -> bytes:
    """One aligned line: when, how it went, what was asked where, who answered, how long it took, how much it was, why
    it went there, and what it is found by.
    """
    when = timestamp(r.ended_ns)[11:23]
    what = printable(r.method[:MAX_METHOD_CHARS])
    who = f"{r.provider or '-'}/{r.protocol or '-'}" + (f" +{r.retries}" if r.retries else "")
    line = f"{when} {r.level:<7} {what:<28} {r.scope.chain:<14} {who:<26} {r.total_s * 1000:>10.3f} ms  {_ending(r)}"
    line += f"  {r.selection_reason or '-'}{_missed(r)}  id {printable(r.request_id[:MAX_REQUEST_ID_CHARS])}"
    if r.trace_id:
        line += f"  trace {r.trace_id}"
    if r.client:
        line += f"  by {r.client}"
    return line.encode("utf-8", "backslashreplace") + b"\n"


def _missed(r: CallRecord) -> str:
    said = ", ".join(f"{m.provider}/{m.transport} {m.category}" for m in r.missed)
    return f" after {said}" if said else ""


def _ending(r: CallRecord) -> str:
    if not r.error_category:
        return f"{r.result_size} B"
    return f"{r.error_category} {r.error_code or ''} {printable(scrub(r.error_message, MAX_ERROR_CHARS))}".rstrip()
