"""What a simulated provider does wrong, as values, and the decision what happens to one request.

`Faults` says what is set, `decide` draws from it (pure: a generator with a seed makes runs repeatable), `FaultPlan`
adds the two things that need memory: the throttle's bucket and failures that happen only so many times. No trio here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from math import ceil, exp
from random import Random
from typing import Final

import attrs
import msgspec
from attrs.validators import ge, gt, le, optional

from lasso_trio.devnet.json_types import Json, JsonObject


class Kind(StrEnum):
    """How one answer goes wrong. Over a WebSocket, kinds that need HTTP take their nearest form (see `session`)."""

    HTTP = "http"
    """`status`, `body`, and `Retry-After` when `retry_after_s` is given."""
    RPC = "rpc"
    """A JSON-RPC error: `code`, `message`, `data`."""
    GARBAGE = "garbage"
    """Status 200 and a body that is not JSON."""
    WRONG_ID = "wrong_id"
    BOTH = "both"
    """A result and an error in one answer."""
    NEITHER = "neither"
    """Neither a result nor an error."""
    HANG = "hang"
    """The request is read and never answered; the connection stays open until the caller closes it."""
    TRUNCATED = "truncated"
    """Half of the body that Content-Length announces, then the end of the connection."""
    RESET = "reset"
    """The connection is reset instead of an answer."""
    DRIP = "drip"
    """The right answer at `bytes_per_s`."""


def _names(values: Iterable[str]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(values)


HTTP_TEXTS: Final = {
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>",
    503: "Service Unavailable",
}


@attrs.frozen
class Latency:
    """How long answers take, in milliseconds: lognormal around `p50_ms`, up to `jitter_ms` more, and a rare stall."""

    p50_ms: float = attrs.field(default=0.0, validator=ge(0))
    sigma: float = attrs.field(default=0.0, validator=ge(0))
    jitter_ms: float = attrs.field(default=0.0, validator=ge(0))
    stall_share: float = attrs.field(default=0.0, validator=[ge(0), le(1)])
    stall_ms: float = attrs.field(default=0.0, validator=ge(0))

    @classmethod
    def constant(cls, ms: float) -> Latency:
        return cls(p50_ms=ms)

    @classmethod
    def uniform(cls, low_ms: float, high_ms: float) -> Latency:
        return cls(p50_ms=low_ms, jitter_ms=high_ms - low_ms)

    @classmethod
    def lognormal(cls, p50_ms: float, sigma: float) -> Latency:
        return cls(p50_ms=p50_ms, sigma=sigma)

    def draw_s(self, rng: Random) -> float:
        """One delay, in seconds."""
        ms = self.p50_ms * (exp(rng.gauss(0, self.sigma)) if self.sigma else 1)
        if self.jitter_ms:
            ms += rng.uniform(0, self.jitter_ms)
        if self.stall_share and rng.random() < self.stall_share:
            ms += self.stall_ms
        return ms / 1000


@attrs.frozen
class Failure:
    """One thing that goes wrong with a share of the requests (of those for `methods`), at most `times` in all."""

    kind: Kind = attrs.field(converter=Kind)
    share: float = attrs.field(default=1.0, validator=[ge(0), le(1)])
    methods: tuple[str, ...] = attrs.field(default=(), converter=_names)
    times: int | None = attrs.field(default=None, validator=optional(ge(0)))
    status: int = attrs.field(default=500, validator=[ge(200), le(599)])
    body: str | None = None
    """None: the usual text of that status."""
    retry_after_s: float | None = attrs.field(default=None, validator=optional(ge(0)))
    code: int = -32603
    message: str = "internal error"
    data: Json = None
    bytes_per_s: float = attrs.field(default=100.0, validator=gt(0))

    def concerns(self, methods: tuple[str, ...]) -> bool:
        return not self.methods or any(method in self.methods for method in methods)


def _failures(values: Iterable[Failure]) -> tuple[Failure, ...]:
    return tuple(values)


@attrs.frozen
class Faults:
    """Everything that is set for one provider. The default is a provider that does nothing wrong, at once."""

    latency: Latency = Latency()
    failures: tuple[Failure, ...] = attrs.field(default=(), converter=_failures)
    """Tried in this order; the first that strikes decides."""
    rps: float | None = attrs.field(default=None, validator=optional(gt(0)))
    """Above this many requests a second (a batch is one; bursts of one second pass): 429 with Retry-After."""
    lag: int = attrs.field(default=0, validator=ge(0))
    """How many blocks behind the chain the provider is."""
    frozen: bool = False
    """The head stays where it is when this is set, on the branch of that moment."""
    chain_id: int | None = attrs.field(default=None, validator=optional(gt(0)))
    """Serves another chain."""
    state_depth: int | None = attrs.field(default=None, validator=optional(ge(0)))
    """Older state is pruned: `missing trie node`."""
    log_range: int = attrs.field(default=1000, validator=gt(0))
    """`eth_getLogs` over more blocks is refused."""
    missing_methods: tuple[str, ...] = attrs.field(default=(), converter=_names)
    ws_refuse_status: int | None = attrs.field(default=None, validator=optional([ge(300), le(599)]))
    """The WebSocket upgrade is answered with this status."""
    ws_drop_after_s: float | None = attrs.field(default=None, validator=optional(gt(0)))
    """Each WebSocket loses its TCP connection, without a close frame, when it is this old."""
    ws_mute: bool = False
    """Subscriptions fall silent, the socket stays."""
    ws_loss_share: float = attrs.field(default=0.0, validator=[ge(0), le(1)])
    """Share of notifications that never come."""

    @classmethod
    def from_json(cls, value: Json) -> Faults:
        """The JSON spelling: the same names. Raises ValueError that says what is wrong."""
        _refuse_unknown(value, cls, "faults")
        for failure in _listed(value.get("failures", [])):
            _refuse_unknown(failure, Failure, "failure")
        _refuse_unknown(value.get("latency", {}), Latency, "latency")
        # msgspec checks types and attrs' own constructors check ranges.
        try:
            return msgspec.convert(value, cls)
        except (msgspec.ValidationError, TypeError) as wrong:
            raise ValueError(str(wrong)) from wrong

    def to_json(self) -> JsonObject:
        builtins: JsonObject = msgspec.to_builtins(self)
        return builtins


@attrs.frozen
class Behaviour:
    """What happens to one request: answered `delay_s` seconds late, and wrongly when there is a `failure`."""

    delay_s: float = 0.0
    failure: Failure | None = None


def decide(
    faults: Faults, methods: tuple[str, ...], rng: Random, spent: Callable[[Failure], bool] = lambda _: False
) -> Behaviour:
    """Draw what happens to a request (a batch has several methods). `spent`: this failure has happened often enough."""
    delay = faults.latency.draw_s(rng)
    for failure in faults.failures:
        if failure.concerns(methods) and not spent(failure) and (failure.share >= 1 or rng.random() < failure.share):
            return Behaviour(delay, failure)
    return Behaviour(delay)


@attrs.define
class FaultPlan:
    """The faults in force, with what they must remember. `now` is seconds of any steady clock."""

    faults: Faults = Faults()
    rng: Random = attrs.field(factory=lambda: Random(0))
    _struck: dict[int, int] = attrs.field(factory=dict, init=False)
    _tokens: float | None = attrs.field(default=None, init=False)
    _filled_at: float = attrs.field(default=0.0, init=False)

    def set(self, faults: Faults) -> None:
        """Replace all faults; counts and the throttle begin anew."""
        self.faults = faults
        self._struck.clear()
        self._tokens = None

    def next(self, methods: tuple[str, ...], now: float) -> Behaviour:
        if wait_s := self._throttle(now):
            return Behaviour(0.0, Failure(Kind.HTTP, status=429, retry_after_s=ceil(wait_s)))
        behaviour = decide(self.faults, methods, self.rng, self._is_spent)
        if behaviour.failure is not None and behaviour.failure.times is not None:
            self._struck[id(behaviour.failure)] = self._struck.get(id(behaviour.failure), 0) + 1
        return behaviour

    def _is_spent(self, failure: Failure) -> bool:
        return failure.times is not None and self._struck.get(id(failure), 0) >= failure.times

    def _throttle(self, now: float) -> float:
        """Seconds until a request would be let through; 0 takes one now."""
        rate = self.faults.rps
        if rate is None:
            return 0.0
        burst = max(1.0, rate)
        held = burst if self._tokens is None else min(burst, self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        self._tokens = held - 1 if held >= 1 else held
        return 0.0 if held >= 1 else (1 - held) / rate


def _refuse_unknown(value: Json, shape: type[attrs.AttrsInstance], what: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be an object")
    known = attrs.fields_dict(shape)
    if unknown := [name for name in value if name not in known]:
        raise ValueError(f"{what}: unknown {', '.join(map(repr, unknown))}; known are {', '.join(known)}")


def _listed(value: Json) -> list[Json]:
    if not isinstance(value, list | tuple):
        raise ValueError("failures must be a list")
    return list(value)
