"""The bank of client limits that a node's workers share: it lies in their parent, and is asked over the bus.

A bank account is one client's whole bucket: it fills by time, goes down by what members report, and may be in debt. It
knows what each member was asked for lately, which is what shares are made of. An account that would be full again says
nothing and is forgotten.

`Ledger` is pure: the clock is passed in. What Redis does for nodes (`shared.redis_bank`) is the same arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp
from typing import Final, Protocol

import attrs
import msgspec
import trio

from lasso_trio.routing.lease import LATEST_S, MEMORY_S, BankFault, Lease, Report
from lasso_trio.workers.frame import PARENT
from lasso_trio.workers.topics import Act, BusFault

TOPIC: Final = "lease"
TIMEOUT_S: Final = 0.5
MOST_ACCOUNTS: Final = 65_536
"""Some 45 MiB, and a tenth of a second to go through: all frames of the node wait for the parent."""
SWEEP_S: Final = 5.0
NOTHING: Final = 0.01
"""Of what was asked for: less than this is not remembered."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_reports: Final = msgspec.msgpack.Decoder(list[Report]).decode
_decode_leases: Final = msgspec.msgpack.Decoder(list[Lease]).decode


@attrs.define(eq=False)
class Account:
    """`asked`: what each member was asked for lately, at the time `at`. `full_at`: forgotten then."""

    level: float
    at: float
    full_at: float = 0.0
    asked: dict[str, float] = attrs.field(factory=dict)

    def settle(self, member: str, report: Report, now: float) -> Lease:
        """Enter `report`, and say what is the member's."""
        passed, most = max(0.0, now - self.at), report.burst + report.rate * LATEST_S
        self.level = max(-most, min(most, self.level + passed * report.rate - report.spent))
        faded, self.at = exp(-passed / MEMORY_S), now
        asked = {who: left for who, n in self.asked.items() if (left := n * faded) > NOTHING or who == member}
        self.asked = asked
        asked[member] = asked.get(member, 0.0) + report.asked
        self.full_at = now + max((most - self.level) / report.rate, MEMORY_S * 2)
        whole = sum(asked.values())
        return Lease(self.level, asked[member] / whole if whole > 0 else 1.0)


@attrs.define(eq=False)
class Ledger:
    """All accounts. Bounded: when there are too many, those that were not used for the longest time start afresh."""

    _accounts: dict[tuple[str, str], Account] = attrs.field(factory=dict)
    _swept: float = 0.0

    def __len__(self) -> int:
        return len(self._accounts)

    def settle(self, member: str, reports: Sequence[Report], now: float) -> list[Lease]:
        """A lease for each report of `member`."""
        if now - self._swept >= SWEEP_S or len(self._accounts) >= MOST_ACCOUNTS:
            self._sweep(now)
        return [self._account(report, now).settle(member, report, now) for report in reports]

    def _account(self, report: Report, now: float) -> Account:
        """Moved to the end, so that the first are those which nobody used."""
        key = (report.limit, report.client)
        account = self._accounts.pop(key, None) or Account(report.burst + report.rate * LATEST_S, now)
        self._accounts[key] = account
        return account

    def _sweep(self, now: float) -> None:
        kept = [(key, account) for key, account in self._accounts.items() if account.full_at > now]
        self._accounts, self._swept = dict(kept[-(MOST_ACCOUNTS // 2) :]), now


class Asking(Protocol):
    """The end of a bus that asks."""

    async def ask(self, topic: str, payload: bytes, to: int, timeout_s: float) -> bytes: ...


class Answering(Protocol):
    """The end of a bus that answers."""

    def answer(self, topic: str, act: Act) -> None: ...


@attrs.frozen(eq=False)
class BusBank:
    """The parent's ledger, from a worker."""

    bus: Asking

    async def settle(self, reports: Sequence[Report]) -> Sequence[Lease]:
        try:
            leases = _decode_leases(await self.bus.ask(TOPIC, _encode(reports), PARENT, TIMEOUT_S))
        except (BusFault, msgspec.DecodeError) as fault:
            raise BankFault(str(fault)) from fault
        if len(leases) != len(reports):
            raise BankFault("leases are missing")
        return leases


def serve(bus: Answering, clock: Callable[[], float] = trio.current_time) -> Ledger:
    """Have `bus`, the parent's end, settle what workers report. Returns the ledger."""
    ledger = Ledger()

    async def act(worker: int, payload: bytes) -> bytes:
        return _encode(ledger.settle(str(worker), _decode_reports(payload), clock()))

    bus.answer(TOPIC, act)
    return ledger
