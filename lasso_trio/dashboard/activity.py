"""The last calls, as people want to see them go by: a bounded sample, taken only while somebody looks.

    nobody looks   the doors' records are as they were: calls do not come here at all
    somebody does  `watch` puts a `Tap` before each record; a call costs two comparisons, and a few of them a row

Of a flood, `PER_SECOND` calls are kept, and as many failures besides. What a row says is worked out when it is shown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from time import time_ns
from typing import Any, Final, Protocol

import attrs

from lasso_trio.jsonrpc.request import Request
from lasso_trio.providers.latency import LogHistogram
from lasso_trio.routing.outcome import Outcome, Raced
from lasso_trio.routing.service import Served
from lasso_trio.server.batch import Record
from lasso_trio.server.exchange import Exchange
from lasso_trio.telemetry.call_record import MAX_ERROR_CHARS, MAX_METHOD_CHARS, timestamp
from lasso_trio.telemetry.meta import shown_request_id
from lasso_trio.telemetry.scrub import encodable, scrub

KEPT: Final = 200
PER_SECOND: Final = 40
RACES_KEPT: Final = 20
"""Apart from the others, so that a flood of plain calls does not push them out."""

Row = dict[str, Any]


class Recorder(Protocol):
    """A door, or whatever else tells of finished calls."""

    record: Record


@attrs.frozen(eq=False)
class Seen:
    """One call that was kept. Nothing of its answer is held but an error's words."""

    seq: int
    at_ns: int
    profile: str
    chain: str
    method: str
    strategy: str
    provider: str | None
    transport: str | None
    client: str
    reason: str
    total_s: float
    retries: int
    hedges: int
    hedge_won: bool
    cache: str
    request_id: str
    error: tuple[int | None, str, str] | None
    raced: tuple[Raced, ...] = ()
    worker: int | None = None
    """Of another process of the node that saw it."""

    @property
    def row(self) -> Row:
        return {
            "seq": self.seq,
            "at": timestamp(self.at_ns),
            "chain": self.chain,
            "method": encodable(self.method[:MAX_METHOD_CHARS]),
            "strategy": self.strategy,
            "provider": self.provider,
            "transport": self.transport,
            "client": self.client,
            "reason": self.reason,
            "ms": round(self.total_s * 1000, 3),
            "retries": self.retries,
            "hedged": self.hedges > 0,
            "hedge_won": self.hedge_won,
            "cache": self.cache,
            "request_id": encodable(shown_request_id(encodable(self.request_id))),
            "error": None if self.error is None else _error_row(self.error),
            **({} if self.worker is None else {"worker": self.worker}),
        }

    @property
    def race(self) -> Row:
        """The call as a race: who ran, winner and losers, as on the time line of a tried call."""
        row = self.row
        return {
            **{key: row[key] for key in ("seq", "at", "chain", "method", "ms", "hedge_won")},
            "ok": self.error is None,
            "timeline": [_lane(racer) for racer in self.raced],
        }


def _lane(racer: Raced) -> Row:
    begun, took = 1000 * racer.begun_s, 1000 * racer.took_s
    return {
        "kind": "hedge" if racer.hedge else "first",
        "provider": racer.provider,
        "transport": racer.transport,
        "start_ms": round(begun, 3),
        "end_ms": round(begun + took, 3),
        "took_ms": round(took, 3),
        "end": racer.end,
        "category": None,
    }


def _error_row(error: tuple[int | None, str, str]) -> Row:
    code, category, message = error
    return {"code": code, "category": category, "message": scrub(message, MAX_ERROR_CHARS)}


@attrs.define(eq=False)
class Activity:
    """`calls`: those kept, newest last. `raced` and `plain`: how long calls took while somebody looked, by hedging."""

    calls: deque[Seen] = attrs.field(factory=lambda: deque(maxlen=KEPT))
    races: deque[Seen] = attrs.field(factory=lambda: deque(maxlen=RACES_KEPT))
    seen: int = 0
    raced: LogHistogram = attrs.field(factory=LogHistogram)
    plain: LogHistogram = attrs.field(factory=LogHistogram)
    _second: int = 0
    _good: int = 0
    _bad: int = 0
    _before: tuple[int, int] = (0, 0)
    _taps: list[tuple[Recorder, Tap]] = attrs.field(factory=list)

    @property
    def watching(self) -> bool:
        return bool(self._taps)

    def watch(self, doors: Sequence[tuple[Recorder, str]]) -> None:
        """Begin to look: `doors` and how their clients speak (`http`, `ws`). Again is harmless."""
        if self.watching:
            return
        for door, client in doors:
            tap = Tap(door.record, self, client)
            door.record = tap
            self._taps.append((door, tap))

    def leave(self) -> None:
        """Cease to look: every record is as it was before."""
        for door, tap in self._taps:
            door.record = tap.record
        self._taps.clear()

    def take(self, exchange: Exchange, request: Request, served: Served, ended: float, client: str) -> None:
        """On the path of each call while somebody looks."""
        second, outcome = int(ended), served.outcome
        self.seen += 1
        if second != self._second:
            self._turn(second)
        (self.raced if outcome.hedges else self.plain).add(ended - exchange.started)
        if outcome.raced:
            self.races.append(_seen(self.seen, exchange, request, served, ended, client))
        if outcome.failed:
            self._bad += 1
            if self._bad > PER_SECOND:
                return
        else:
            self._good += 1
            if self._good > PER_SECOND:
                return
        self.calls.append(_seen(self.seen, exchange, request, served, ended, client))

    def own_since(self, seq: int) -> list[Seen]:
        """Those that this process saw after its `seq`-th."""
        return [each for each in self.calls if each.seq > seq and each.worker is None]

    def adopt(self, seen: Seen, worker: int) -> None:
        """What another process of the node saw."""
        self.seen += 1
        mine = attrs.evolve(seen, seq=self.seen, worker=worker)
        self.calls.append(mine)
        if mine.raced:
            self.races.append(mine)

    def rows(self, profile: str, most: int) -> list[Row]:
        """The newest of a profile, newest last."""
        mine = [seen for seen in self.calls if seen.profile == profile]
        return [seen.row for seen in mine[-most:]]

    def recent_races(self, profile: str) -> list[Row]:
        """Those seen while somebody looked, newest first."""
        return [seen.race for seen in reversed(self.races) if seen.profile == profile]

    def last(self, profile: str, chain: str) -> Row | None:
        return next((s.row for s in reversed(self.calls) if (s.profile, s.chain) == (profile, chain)), None)

    def rate(self, now: float) -> Row:
        """Of the last whole second: how many calls went by, and how many were kept."""
        if int(now) != self._second:
            self._turn(int(now))
        seen, kept = self._before
        return {"seen": seen, "kept": kept}

    def _turn(self, second: int) -> None:
        kept = min(self._good, PER_SECOND) + min(self._bad, PER_SECOND)
        self._before = (self._good + self._bad, kept) if second == self._second + 1 else (0, 0)
        self._second, self._good, self._bad = second, 0, 0


@attrs.frozen(eq=False)
class Tap:
    """Stands before a door's record."""

    record: Record
    activity: Activity
    client: str

    def __call__(self, exchange: Exchange, request: Request, served: Served, ended: float) -> None:
        self.activity.take(exchange, request, served, ended, self.client)
        self.record(exchange, request, served, ended)


def _seen(seq: int, exchange: Exchange, request: Request, served: Served, ended: float, client: str) -> Seen:
    outcome, chain = served.outcome, exchange.route.routed_chain
    who = outcome.candidate
    return Seen(
        seq,
        time_ns(),
        chain.profile.slug,
        chain.chain.key,
        request.method.name[:MAX_METHOD_CHARS],
        served.strategy.value,
        None if who is None else who.provider.id,
        None if who is None else who.channel.transport.value,
        client,
        outcome.reason,
        ended - exchange.started,
        outcome.retries,
        outcome.hedges,
        outcome.hedge_won,
        outcome.cache,
        exchange.request_id,
        error_of(outcome) if outcome.failed else None,
        outcome.raced,
    )


def error_of(outcome: Outcome) -> tuple[int | None, str, str]:
    """Code, category and text of a failed call, the upstream's or ours."""
    if outcome.error is not None:
        return outcome.error.code, outcome.error.category, outcome.error.message
    assert outcome.reply is not None
    assert outcome.reply.error is not None
    category = outcome.verdict.category if outcome.verdict is not None else "unknown_error"
    return outcome.reply.error.code, category, outcome.reply.error.text


Doors = Callable[[], Sequence[tuple[Recorder, str]]]
