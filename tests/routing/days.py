"""What goes wrong with simulated providers in the course of a day: a list of spells, scripted or drawn from a seed.

At any time at most two providers cannot answer (a call is dispatched three times), at most one of these slowly, one may
be behind, one may serve another chain. Values only; who carries them out is in `test_routing_a_day_of_faults`.
"""

from __future__ import annotations

from random import Random
from typing import Final

import attrs

from lasso_trio.devnet import Failure, Faults, Kind, Latency

NAMES: Final = ("a", "b", "c", "d", "e")
HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
SETTLE_S: Final = 65.0
"""So long after a spell its last calls have come to their end."""

# What can be wrong with a provider for a while. `down` and `dark` concern its dials.
SICK: Final = {
    "down": Faults(),
    "dark": Faults(),
    "hangs": Faults(failures=[Failure(Kind.HANG)]),
    "stalls": Faults(latency=Latency(p50_ms=20, stall_share=0.5, stall_ms=90_000)),
    "drips": Faults(failures=[Failure(Kind.DRIP, bytes_per_s=1)]),
    "fails": Faults(failures=[Failure(Kind.HTTP, status=500)]),
    "fails_at_times": Faults(failures=[Failure(Kind.HTTP, status=503, share=0.5)]),
    "html": Faults(failures=[Failure(Kind.HTTP, status=502)]),
    "garbage": Faults(failures=[Failure(Kind.GARBAGE)]),
    "wrong_id": Faults(failures=[Failure(Kind.WRONG_ID)]),
    "neither": Faults(failures=[Failure(Kind.NEITHER)]),
    "resets": Faults(failures=[Failure(Kind.RESET)]),
    "truncates": Faults(failures=[Failure(Kind.TRUNCATED)]),
    "internal": Faults(failures=[Failure(Kind.RPC, code=-32603, message="internal error")]),
    "refuses_key": Faults(failures=[Failure(Kind.HTTP, status=401, body="invalid api key")]),
}
SLOW: Final = ("dark", "hangs", "stalls", "drips")
"""Two of these at once take all the time that a call has: the first tells nothing before most of it has gone."""
LIMITED: Final = {
    "throttles": Faults(failures=[Failure(Kind.HTTP, status=429)]),
    "throttles_at_times": Faults(failures=[Failure(Kind.HTTP, status=429, share=0.5)]),
    "throttles_with_hint": Faults(failures=[Failure(Kind.HTTP, status=429, retry_after_s=45)]),
    "throttles_in_words": Faults(failures=[Failure(Kind.RPC, code=-32005, message="try again in 20 seconds")]),
    "throttles_above_rate": Faults(rps=0.05),
    "loses_methods": Faults(missing_methods=("eth_getCode", "eth_getLogs", "eth_estimateGas")),
}
BEHIND: Final = {"lags": Faults(lag=50), "zero_head": Faults(lag=10**9), "frozen": Faults(frozen=True)}
ELSEWHERE: Final = {"wrong_chain": Faults(chain_id=5)}
FAULTS: Final = {**SICK, **LIMITED, **BEHIND, **ELSEWHERE}
MAY_OPEN: Final = SICK.keys() | ELSEWHERE.keys()
"""What is an illness. Nothing else may open a breaker."""


@attrs.frozen(order=True)
class Spell:
    """From `at` to `ends`, in seconds of the day, `kind` (of `FAULTS`) is wrong with the provider `name`."""

    at: float
    ends: float
    name: str
    kind: str


def scripted_day() -> list[Spell]:
    """Every kind of fault for ten minutes on one provider after the other, and at once another one on its neighbour."""
    spells, kinds = [], list(FAULTS)
    step = (DAY - HOUR) / len(kinds)
    for i, kind in enumerate(kinds):
        at, neighbour = 600.0 + i * step, i + (1 if i % 2 else -1)
        spells.append(Spell(at, at + 600.0, NAMES[i % len(NAMES)], kind))
        spells.append(Spell(at, at + 500.0, NAMES[neighbour % len(NAMES)], kinds[(i + 7) % len(kinds)]))
    return sorted(spells)


def random_day(seed: int) -> list[Spell]:
    """Two series of spells that leave providers without answers, one of those behind, one of a wrong chain."""
    rng = Random(seed)
    spells: list[Spell] = []
    for kinds, pause_s in (
        ([*SICK, *LIMITED], 400.0),
        ([kind for kind in (*SICK, *LIMITED) if kind not in SLOW], 400.0),
        ([*BEHIND], 3000.0),
        ([*ELSEWHERE], 5000.0),
    ):
        at = rng.uniform(300.0, 2000.0)
        while at < DAY - 2 * HOUR:
            ends = at + rng.choice((rng.uniform(5.0, 90.0), rng.uniform(90.0, 3000.0)))
            free = [
                n for n in NAMES if all(s.name != n or s.ends + SETTLE_S < at or s.at > ends + SETTLE_S for s in spells)
            ]
            if free:
                spells.append(Spell(at, ends, rng.choice(free), rng.choice(kinds)))
            at = ends + SETTLE_S + rng.expovariate(1 / pause_s)
    return sorted(spells)
