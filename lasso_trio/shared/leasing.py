"""Goes to the bank for all of a process' buckets together: ten times a second, if there is anything to report.

A bank that does not answer is tried again after a while. Meanwhile shares run out (`lease.ALONE_S`), and each member
has the whole limit for itself; that is logged, once, as is the bank's return.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from random import Random
from typing import Final, NoReturn

import attrs
import structlog
import trio

from lasso_trio.routing.client_limit import ClientLimit
from lasso_trio.routing.lease import Bank, BankFault, Lease
from lasso_trio.routing.leased_limit import LeasedLimit, Turn

TURN_S: Final = 0.1
LONGEST_S: Final = 5.0
AT_ONCE: Final = 200
"""Reports of one turn: an engine has nothing else done while it enters them, some seven milliseconds."""

log = structlog.get_logger(__name__)

Limits = Callable[[], Iterable[tuple[str, ClientLimit]]]
"""The limits that are in force, by a name that all members have for them. Those that are not leased are left alone."""


@attrs.define(eq=False)
class Leasing:
    """`together`: the bank answered the last time. `reports`: made, `lost`: not settled, since start."""

    bank: Bank
    limits: Limits
    rng: Random = attrs.field(factory=Random)
    together: bool | None = None
    reports: int = 0
    lost: int = 0
    _streak: int = 0

    async def run(self) -> NoReturn:
        """Until cancelled."""
        while True:
            await trio.sleep(self._pause())
            await self.turn()

    async def turn(self) -> None:
        """Settle what there is to settle. Raises only Cancelled; what it reported is forgotten then."""
        began = trio.current_time()
        turns = self._turns(began)
        reports = [report for _, turn in turns for report in turn.reports]
        if not reports:
            return
        self.reports += len(reports)
        try:
            _hand_out(turns, await self.bank.settle(reports), trio.current_time())
        except BankFault as fault:
            self.lost += len(reports)
            self._alone(str(fault))
        else:
            self._settled()

    def _turns(self, now: float) -> list[tuple[LeasedLimit, Turn]]:
        """In another order each time, so that none of several busy profiles always comes last."""
        leased = [(name, limit) for name, limit in self.limits() if isinstance(limit, LeasedLimit)]
        self.rng.shuffle(leased)
        turns, room = list[tuple[LeasedLimit, Turn]](), AT_ONCE
        for name, limit in leased:
            turn = limit.turn(name, now, room)
            room -= len(turn.reports)
            turns.append((limit, turn))
        return turns

    def _pause(self) -> float:
        longest = min(LONGEST_S, TURN_S * 2.0 ** min(self._streak, 16))
        return longest * self.rng.uniform(0.75, 1.0) if self._streak else TURN_S

    def _alone(self, error: str) -> None:
        self._streak += 1
        if self.together is not False:
            self.together = False
            log.warning("limits.alone", error=error, meaning="each process keeps the client limits for itself")

    def _settled(self) -> None:
        self._streak = 0
        if not self.together:
            self.together = True
            log.info("limits.together")


def _hand_out(turns: Sequence[tuple[LeasedLimit, Turn]], leases: Sequence[Lease], now: float) -> None:
    told = iter(leases)
    for limit, turn in turns:
        limit.settle(turn, tuple(islice(told, len(turn.reports))), now)
