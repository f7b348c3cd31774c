"""What is raced: the three providers, the ways to ask them that are compared, and how long a run is.

Each variant has a Lasso of its own in front of the same three providers: what one learns of them, with whole stalls in
it or without, must not be what another decides on, and none spends another's hedging budget.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from lasso_trio.devnet import Faults, Latency

CHAIN = "race"
CHAIN_ID = 31337
SIGMA = 0.5
"""Of the lognormal latencies: p95 is 2.3 × the median, p99 3.2 ×, before stalls."""
STALL_SHARE, STALL_MS = 0.01, 2_000.0
MEDIANS_MS: Mapping[str, float] = {"p20": 20.0, "p25": 25.0, "p30": 30.0}
BEST = "p20"
SLOWED_BY = 5.0


def faults(slowed: float = 1.0) -> dict[str, Faults]:
    """Per provider, its medians times `slowed`. A stall comes on top of the usual latency and is never longer."""
    return {name: Faults(latency=latency(median * slowed)) for name, median in MEDIANS_MS.items()}


def latency(p50_ms: float) -> Latency:
    return attrs.evolve(Latency.lognormal(p50_ms, SIGMA), stall_share=STALL_SHARE, stall_ms=STALL_MS)


@attrs.frozen
class Variant:
    """`hedge`: what `X-Lasso-Hedge` says, empty for the default; `pinned`: to a provider."""

    name: str
    label: str
    hedge: str = ""
    pinned: str = ""
    slowed: bool = False
    timeout_ms: int | None = None
    """None: as long as the method has by default, which is no longer than a stall."""

    @property
    def path(self) -> str:
        return f"/rpc/provider/{self.pinned}/{CHAIN}" if self.pinned else f"/rpc/fastest/{CHAIN}"

    @property
    def headers(self) -> str:
        return f"X-Lasso-Hedge: {self.hedge}\r\n" if self.hedge else ""


# Who has nobody else to ask waits his stalls out. At the default, each would be an error after the method's time.
ALONE = Variant("alone", "best provider alone", hedge="off", pinned=BEST, timeout_ms=10_000)
UNHEDGED = Variant("unhedged", "no hedging", hedge="off")
FIXED = Variant("fixed", "fixed delay, 100 ms", hedge="100")
HEDGED = Variant("hedged", "hedging (default)")
SLOWED = Variant("slowed", "all slowed × 5, hedging (default)", slowed=True)
SLOWED_UNHEDGED = Variant("slowed-unhedged", "all slowed × 5, no hedging", hedge="off", slowed=True)

STEADY = (ALONE, UNHEDGED, FIXED, HEDGED)
AFTER_THE_SLOWDOWN = (SLOWED, SLOWED_UNHEDGED)
"""In this order: the first is counted from the moment of the change, while all that is known is of the time before."""
VARIANTS = (*STEADY, *AFTER_THE_SLOWDOWN)


@attrs.frozen
class Plan:
    """`calls` per variant, in `rounds` blocks that take turns; `warm_s` per variant before anything is counted.

    `pairs` of windows for the cost of hedging that does not happen, `window_s` each; none: it is not measured.
    """

    calls: int = 24_000
    rounds: int = 4
    rate: float = 300.0
    warm_s: float = 6.0
    pairs: int = 20
    window_s: float = 1.0

    @property
    def block_s(self) -> float:
        return self.calls / self.rounds / self.rate


FULL = Plan()
QUICK = Plan(calls=2_000, rounds=2, warm_s=3.0, pairs=8, window_s=0.5)
