from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from random import Random

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasso_trio.routing.client_limit import ClientLimit
from lasso_trio.routing.lease import LATEST_S, BankFault, Lease, Report
from lasso_trio.routing.leased_limit import LeasedLimit
from lasso_trio.workers import bank
from lasso_trio.workers.bank import BusBank, Ledger, serve
from lasso_trio.workers.frame import PARENT
from lasso_trio.workers.topics import BusFault

TURN_S = 0.1


@attrs.define(eq=False)
class Town:
    """Members with one ledger: `live` has one client ask each of them at its rates, each settling at its own times."""

    rate: int
    burst: int
    members: int
    rng: Random
    ledger: Ledger = attrs.field(factory=Ledger)
    limits: list[LeasedLimit] = attrs.field(init=False)
    plain: ClientLimit = attrs.field(init=False)
    """One limit that is asked all the same, for comparison, and how much it gave."""
    plain_given: int = 0
    now: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.limits = [LeasedLimit(self.rate, self.burst) for _ in range(self.members)]
        self.plain = ClientLimit(self.rate, self.burst)

    def live(self, seconds: float, rates: Sequence[float], n: int = 1) -> float:
        """How many tokens were given."""
        events = []
        for member, rate in enumerate(rates):
            events += [(self.now + self.rng.random() * seconds, member, True) for _ in range(int(rate * seconds / n))]
            phase = self.rng.random() * TURN_S
            events += [(self.now + phase + i * TURN_S, member, False) for i in range(int(seconds / TURN_S))]
        given = self.plain_given = 0
        for at, member, asks in sorted(events):
            if asks:
                given += n if self.limits[member].take("x", n, at) == 0.0 else 0
                self.plain_given += n if self.plain.take("x", n, at) == 0.0 else 0
            else:
                self.settle(member, at)
        self.now += seconds
        return given

    def settle(self, member: int, at: float) -> None:
        turn = self.limits[member].turn("p", at, 500)
        self.limits[member].settle(turn, tuple(self.ledger.settle(str(member), turn.reports, at)), at)


@given(
    st.integers(20, 120),
    st.integers(1, 100),
    st.lists(st.floats(0.05, 2), min_size=2, max_size=4),
    st.integers(0, 10**6),
)
@settings(max_examples=25, deadline=None)
def test_members_together_keep_the_limit_within_a_tenth(rate: int, burst: int, loads: list[float], seed: int) -> None:
    town = Town(rate, burst, len(loads), Random(seed))
    rates = [rate * load for load in loads]
    town.live(4, rates)
    given = town.live(10, rates)
    assert town.plain_given * 0.9 - burst <= given <= rate * 10 * 1.1 + burst


@given(st.integers(10, 80), st.integers(5, 50), st.floats(0.2, 3), st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_who_is_seen_by_one_member_has_the_whole_limit(rate: int, burst: int, load: float, seed: int) -> None:
    town = Town(rate, burst, 3, Random(seed))
    assert abs(town.live(6, [rate * load]) - town.plain_given) <= 1  # rounding


def test_a_burst_at_all_members_is_bounded_and_paid_for() -> None:
    town = Town(100, 50, 3, Random(1))
    at_once = sum(town.limits[member].take("x", 1, 0.0) == 0.0 for member in range(3) for _ in range(60))
    assert at_once == 150
    assert town.live(20, [60, 60, 60]) <= 100 * 20 + 50 + 100 * LATEST_S - 150 + 15


def test_who_moves_to_another_member_has_the_whole_there_soon() -> None:
    town = Town(100, 20, 2, Random(2))
    town.live(10, [150, 0])
    town.live(3, [0, 150])
    assert town.live(5, [0, 150]) >= 450


def test_batches_keep_the_limit_too_and_fit_worse_into_parts_of_a_burst() -> None:
    town = Town(100, 30, 3, Random(3))
    town.live(4, [100, 100, 100], n=20)
    given = town.live(10, [100, 100, 100], n=20)
    assert town.plain_given * 0.8 <= given <= 1100 + 30


def report(client: str = "x", spent: float = 1.0, asked: float = 1.0) -> Report:
    return Report("p", client, 10, 5, spent, asked)


def test_shares_are_by_what_was_asked_for() -> None:
    ledger = Ledger()
    ledger.settle("a", [report(asked=3.0)], 0.0)
    assert ledger.settle("b", [report(asked=1.0)], 0.0)[0].share == pytest.approx(0.25)
    assert ledger.settle("b", [report(asked=1.0)], 20.0)[0].share == 1.0


def test_who_reports_nothing_asked_for_is_given_a_share_of_nothing_else() -> None:
    assert Ledger().settle("a", [report(spent=0.0, asked=0.0)], 0.0)[0].share == 1.0


def test_limits_and_clients_have_accounts_of_their_own_and_full_ones_are_forgotten() -> None:
    ledger = Ledger()
    ledger.settle("a", [report("x"), report("y"), attrs.evolve(report(), limit="q")], 0.0)
    assert len(ledger) == 3
    ledger.settle("a", [report("x")], 3.0)
    ledger.settle("a", [], 6.0)
    assert len(ledger) == 1


def test_in_a_flood_the_longest_unused_start_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank, "MOST_ACCOUNTS", 10)
    ledger = Ledger()
    for i in range(50):
        ledger.settle("a", [report(f"client {i}", spent=20.0)], 1.0)
        assert len(ledger) <= 10
    assert ledger.settle("a", [report("client 49", spent=0.0)], 1.0)[0].level < 0


# Over the bus


@attrs.define(eq=False)
class Wire:
    """Both ends of a bus: what is asked is answered at once, or not."""

    acts: dict[str, Callable[[int, bytes], Awaitable[bytes]]] = attrs.field(factory=dict)
    spoil: Callable[[bytes], bytes] = bytes

    def answer(self, topic: str, act: Callable[[int, bytes], Awaitable[bytes]]) -> None:
        self.acts[topic] = act

    async def ask(self, topic: str, payload: bytes, to: int, timeout_s: float) -> bytes:
        assert to == PARENT
        if topic not in self.acts:
            raise BusFault("gone")
        return self.spoil(await self.acts[topic](3, payload))


async def test_a_worker_settles_with_the_ledger_of_its_parent() -> None:
    wire, reports = Wire(), [report("x"), report("y", 4.0, 9.0)]
    ledger = serve(wire, clock=lambda: 7.0)
    assert await BusBank(wire).settle(reports) == Ledger().settle("3", reports, 7.0)
    assert len(ledger) == 2


@pytest.mark.parametrize("spoil", [lambda _: b"", lambda _: b"\x90"])
async def test_what_is_no_answer_is_a_fault(spoil: Callable[[bytes], bytes]) -> None:
    wire = Wire(spoil=spoil)
    serve(wire, clock=lambda: 0.0)
    with pytest.raises(BankFault):
        await BusBank(wire).settle([report()])


async def test_a_parent_that_is_gone_is_a_fault() -> None:
    with pytest.raises(BankFault, match="gone"):
        await BusBank(Wire()).settle([report()])


def test_a_lease_is_a_value() -> None:
    assert Lease(1.0, 0.5) == Lease(1.0, 0.5)
