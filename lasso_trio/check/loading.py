"""Many calls: as a load test paced to stay within the client limit, or at once to run into it.

How fast and how many is decided purely (`Pace`, `plan_flood`); sending stops by itself at its deadline and at its
count, so that no call is cut off.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Final

import attrs
import msgspec
import trio

from lasso_trio.check.caller import Caller, Said
from lasso_trio.check.facts import LoadSeen

SHARE: Final = 0.8
"""Of a client limit that a load test uses: others may call from this address too."""
POLITE: Final = 150
"""Calls at once that nobody minds: the checklist's own number."""
MOST_AT_ONCE: Final = 20_000
BATCH: Final = 50
SLOWEST_S: Final = 3
"""That long many calls may take to be sent, while the limit gives back what it gives."""

LOAD_METHOD: Final = "eth_blockNumber"
FLOOD_METHOD: Final = "eth_chainId"
"""The node answers it by itself: running into its limit costs providers nothing."""


@attrs.frozen
class Pace:
    """`burst` calls at once, then `rate` a second. No rate: as fast as may be."""

    rate: float | None = None
    burst: float = 0.0

    @classmethod
    def within(cls, rps: int, burst: int) -> Pace:
        return cls(max(1.0, rps * SHARE), max(1.0, burst * SHARE))

    def at(self, number: int) -> float:
        """When the call of this number (from 0) may be sent, in seconds from the start."""
        return 0.0 if self.rate is None else max(0.0, (number + 1 - self.burst) / self.rate)


@attrs.frozen
class Flood:
    """`requests` of `per_request` calls each."""

    requests: int
    per_request: int = 1

    @property
    def calls(self) -> int:
        return self.requests * self.per_request


@attrs.frozen
class TooMany:
    why: str
    todo: str


def plan_flood(rps: int, burst: int, impolite: bool) -> Flood | TooMany:
    """How to exceed a limit: more than the burst and what comes back meanwhile. Or why it is not tried.

    Of a burst that the polite number exceeds only by being fast that much is tried: the judge knows what came back.
    """
    if burst + rps < POLITE or (burst < POLITE and not impolite):
        return Flood(POLITE)
    need, most = burst + rps * SLOWEST_S, MOST_AT_ONCE if impolite else POLITE
    if need > most:
        why = f"a burst of {burst} takes {need} calls at once, and {most} are allowed"
        return TooMany(why, "" if impolite else "--load makes them; or name a profile with a small burst (--profile)")
    size = min(BATCH, burst)  # a larger one would cost no more than the burst
    return Flood(ceil(need / size), size)


def flood_body(flood: Flood) -> bytes:
    calls = [_call(FLOOD_METHOD, number) for number in range(flood.per_request)]
    return msgspec.json.encode(calls if flood.per_request > 1 else calls[0])


def load_body() -> bytes:
    return msgspec.json.encode(_call(LOAD_METHOD, 1))


def _call(method: str, id_: int) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": id_, "method": method, "params": []}


@attrs.define(eq=False)
class Crowd:
    """`concurrency` callers of one URL, who share `calls`. `answers` are complete up to where they came."""

    caller: Caller
    url: str
    body: bytes
    calls: int
    concurrency: int
    pace: Pace = Pace()
    deadline_s: float = 60.0
    tell: Callable[[int], object] | None = None
    """Told how many are answered, after each."""
    answers: list[Said] = attrs.field(factory=list, init=False)
    seconds: float = attrs.field(default=0.0, init=False)
    _next: int = attrs.field(default=0, init=False)

    async def run(self) -> list[Said]:
        """Ends when all are sent and answered, or soon after the deadline. Cancelled, `answers` stay."""
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number in range(min(self.concurrency, self.calls)):
                nursery.start_soon(self._send, began, name=f"crowd {number}")
        self.seconds = trio.current_time() - began
        return self.answers

    async def _send(self, began: float) -> None:
        while self._next < self.calls:
            number, self._next = self._next, self._next + 1
            due = self.pace.at(number)
            if max(due, trio.current_time() - began) > self.deadline_s:
                return
            await trio.sleep_until(began + due)
            self.answers.append(await self.caller.post(self.url, self.body))
            if self.tell is not None:
                self.tell(len(self.answers))


def summed(answers: list[Said], seconds: float) -> LoadSeen:
    """Latencies are of the calls that were answered well; percentiles by the nearest rank. Pure."""
    counted = [said for said in answers if not said.limited]
    wrong = [said for said in counted if said.problem]
    times = sorted(said.seconds * 1000 for said in counted if not said.problem)
    return LoadSeen(
        sent=len(counted),
        errors=len(wrong),
        limited=len(answers) - len(counted),
        seconds=seconds,
        p50_ms=_rank(times, 0.50),
        p95_ms=_rank(times, 0.95),
        p99_ms=_rank(times, 0.99),
        example=wrong[0].problem if wrong else "",
    )


def _rank(times: list[float], share: float) -> float:
    return round(times[max(0, ceil(share * len(times)) - 1)], 2) if times else 0.0
