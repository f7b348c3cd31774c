from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest
import trio
from structlog.testing import capture_logs

from lasso_trio.routing.client_limit import ClientLimit
from lasso_trio.routing.lease import ALONE_S, BankFault, Lease, Report
from lasso_trio.routing.leased_limit import LeasedLimit
from lasso_trio.shared.leasing import AT_ONCE, LONGEST_S, TURN_S, Leasing

HALF = Lease(0.0, 0.5)


@attrs.define(eq=False)
class FakeBank:
    lease: Lease = HALF
    there: bool = True
    asked: list[list[str]] = attrs.field(factory=list)

    async def settle(self, reports: Sequence[Report]) -> Sequence[Lease]:
        await trio.sleep(0.001)
        self.asked.append([f"{report.limit} {report.client}" for report in reports])
        if not self.there:
            raise BankFault("gone")
        return [self.lease] * len(reports)


async def test_all_buckets_of_a_turn_are_settled_together_and_idle_ones_not(
    autojump_clock: trio.testing.MockClock,
) -> None:
    bank, one, other = FakeBank(), LeasedLimit(10, 4), LeasedLimit(10, 4)
    leasing = Leasing(bank, lambda: [("one", one), ("plain", ClientLimit(1, 1)), ("other", other)])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(leasing.run)
        await trio.sleep(5 * TURN_S)
        assert bank.asked == []
        now = trio.current_time()
        for limit, client in ((one, "x"), (one, "y"), (other, "x")):
            limit.take(client, 1, now)
        await trio.sleep(5 * TURN_S)
        assert [sorted(asked) for asked in bank.asked] == [["one x", "one y", "other x"]]
        assert other.take("x", 1, trio.current_time()) == 0.0  # half a second at half the rate
        assert other.take("x", 2, trio.current_time()) > 0.0
        nursery.cancel_scope.cancel()
    assert (leasing.reports, leasing.lost, leasing.together) == (3, 0, True)


async def test_without_its_bank_each_is_for_itself_says_so_and_comes_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    bank, limit = FakeBank(Lease(100.0, 0.25)), LeasedLimit(100, 10)
    leasing = Leasing(bank, lambda: [("p", limit)])

    async def given(seconds: float) -> int:
        began, taken = trio.current_time(), 0
        while trio.current_time() < began + seconds:
            taken += limit.take("x", 1, trio.current_time()) == 0.0
            await trio.sleep(0.004)
        return taken

    with capture_logs() as logs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(leasing.run)
            await given(2)
            assert await given(4) == pytest.approx(100, rel=0.1)
            bank.there = False
            await given(ALONE_S + 1)
            assert await given(4) == pytest.approx(400, rel=0.05)
            asked = len(bank.asked)
            await given(20)
            assert len(bank.asked) - asked <= 20 / LONGEST_S * 2
            bank.there = True
            await given(LONGEST_S + 1)
            assert await given(4) == pytest.approx(100, rel=0.1)
            nursery.cancel_scope.cancel()
    assert [line["event"] for line in logs] == ["limits.together", "limits.alone", "limits.together"]
    assert leasing.lost > 0


async def test_a_turn_has_room_for_so_many_and_none_of_several_limits_is_left_behind(
    autojump_clock: trio.testing.MockClock,
) -> None:
    bank, limits = FakeBank(), {name: LeasedLimit(10, 4) for name in "abc"}
    leasing = Leasing(bank, lambda: list(limits.items()))
    for limit in limits.values():
        for n in range(AT_ONCE):
            limit.take(f"{n}", 1, trio.current_time())
    for _ in range(4):
        await leasing.turn()
    assert [len(asked) for asked in bank.asked] == [AT_ONCE] * 3
    assert len({name for asked in bank.asked for name in asked}) == 3 * AT_ONCE
