"""What was found out about one endpoint, as values that are safe to show: no URL, no key, no text that was not cleaned.

None always means "not asked, or no answer that says". `to_json` is the shape of `--json`.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from lasso_trio.probe.methods import Support, Trial, lacking

_MS_DIGITS: Final = 1


@attrs.frozen
class Latency:
    """Of small calls on a connection that was open already."""

    p50_ms: float
    p99_ms: float
    samples: int


@attrs.frozen
class Head:
    """`age_s`: this machine's clock less the block's timestamp. `skew_s`: the endpoint's `Date` less our clock."""

    number: int
    age_s: float | None = None
    skew_s: float | None = None


@attrs.frozen
class Bound:
    """How much is taken. `limit`: the largest size that was; None when none was.

    `open`: all that was tried was taken. `exact`: one more is refused. `why`: the words of the refusal, or why the
    search ended early.
    """

    limit: int | None
    open: bool = False
    exact: bool = False
    why: str = ""


@attrs.frozen
class WebSocket:
    """`first_head_s`: from the subscription to its first event. `problem`: what went wrong, as far as it went."""

    connected: bool = False
    chain_id: int | None = None
    ms: float | None = None
    subscribed: bool = False
    first_head_s: float | None = None
    problem: str = ""


@attrs.frozen
class Http:
    """`version` as httpx names it (`HTTP/2`). `http2` None where it is not offered: over plain text."""

    version: str
    http2: bool | None
    gzip: bool


@attrs.frozen
class Spent:
    """`calls` counts those in batches one by one, and those over WebSocket."""

    requests: int = 0
    calls: int = 0
    throttled: int = 0


@attrs.frozen
class Finding:
    """`archive`: how many blocks below the head state is kept for. `lag`: behind the best probed endpoint of the chain.

    `learned`: limits that refusals named, kind → number (`results`, `bytes`, `addresses`).
    """

    name: str
    chain: str | None
    shown: str
    problem: str = ""
    chain_id: int | None = None
    expected_chain_id: int | None = None
    client: str | None = None
    latency: Latency | None = None
    head: Head | None = None
    lag: int | None = None
    archive: Bound | None = None
    log_range: Bound | None = None
    learned: dict[str, int] = attrs.field(factory=dict)
    batch: Bound | None = None
    methods: tuple[Trial, ...] = ()
    websocket: WebSocket | None = None
    needs_websocket: bool = False
    http: Http | None = None
    spent: Spent = Spent()

    @property
    def chain_ids(self) -> tuple[int, ...]:
        """What the transports say; more than one when they disagree."""
        said = (self.chain_id, self.websocket.chain_id if self.websocket else None)
        return tuple(dict.fromkeys(id_ for id_ in said if id_ is not None))

    @property
    def wrong_chain(self) -> bool:
        ids = self.chain_ids
        return len(ids) > 1 or (
            self.expected_chain_id is not None and any(id_ != self.expected_chain_id for id_ in ids)
        )

    @property
    def ok(self) -> bool:
        """It answered on every transport that its profile names, on the chain it should be on."""
        ws_failed = self.needs_websocket and self.websocket is not None and not self.websocket.subscribed
        return not self.problem and not self.wrong_chain and not ws_failed

    def count(self, support: Support) -> int:
        return sum(trial.support is support for trial in self.methods)

    def to_json(self) -> dict[str, Any]:
        """JSON's types only; members as the attributes, plus `ok`, `wrong_chain` and what is lacking."""
        categories, methods = lacking(self.methods)
        shape: dict[str, Any] = attrs.asdict(self)
        derived = {"ok": self.ok, "wrong_chain": self.wrong_chain}
        return shape | derived | {"unsupported_categories": categories, "unsupported_methods": methods}


def latency(seconds: list[float]) -> Latency | None:
    """Percentiles by the nearest rank; None without samples."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return Latency(_ms(ordered[_rank(len(ordered), 50)]), _ms(ordered[_rank(len(ordered), 99)]), len(ordered))


def with_lags(findings: tuple[Finding, ...], heads: tuple[int | None, ...]) -> tuple[Finding, ...]:
    """The findings with their lag behind the best of their chain; `heads` were asked for at one moment."""
    best: dict[int, int] = {}
    for finding, head in zip(findings, heads, strict=True):
        if finding.chain_id is not None and head is not None:
            best[finding.chain_id] = max(head, best.get(finding.chain_id, 0))
    return tuple(
        finding
        if finding.chain_id is None or head is None
        else attrs.evolve(finding, lag=best[finding.chain_id] - head)
        for finding, head in zip(findings, heads, strict=True)
    )


def _rank(count: int, percent: int) -> int:
    return max(0, -(-count * percent // 100) - 1)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, _MS_DIGITS)
