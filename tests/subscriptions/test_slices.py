from __future__ import annotations

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from lasso_trio.subscriptions.slices import MOST_ROUNDS, SLICE, Slices


@attrs.define(eq=False)
class Crowd:
    left: int
    name: str = ""
    order: list[str] = attrs.field(factory=list)

    def serve(self, most: int) -> bool:
        self.left = max(0, self.left - most)
        self.order.append(self.name)
        return self.left == 0


@attrs.define(eq=False)
class Broken:
    """Fails at its first member."""

    tried: int = 0

    def serve(self, most: int) -> bool:
        self.tried += 1
        if self.tried == 1:
            raise ValueError("a member broke its word")
        return True


async def test_others_get_their_turn_between_two_slices(nursery: trio.Nursery) -> None:
    slices, crowd = Slices(), Crowd(10 * SLICE)
    nursery.start_soon(slices.run)
    await wait_all_tasks_blocked()
    slices.add(crowd)
    seen = set()
    while crowd.left:
        seen.add(crowd.left)
        await trio.lowlevel.checkpoint()
    assert len(seen) > 3  # trio does not promise whose turn comes first


async def test_rounds_are_served_one_after_the_other_in_their_order(nursery: trio.Nursery) -> None:
    order: list[str] = []
    slices = Slices()
    slices.add(Crowd(2 * SLICE, "first", order))
    slices.add(Crowd(1, "second", order))
    nursery.start_soon(slices.run)
    await wait_all_tasks_blocked()
    assert order == ["first", "first", "second"]
    assert len(slices) == 0


async def test_how_long_a_round_waited_for_its_last_member_is_kept(
    mock_clock: MockClock, nursery: trio.Nursery
) -> None:
    slices = Slices()
    slices.add(Crowd(2 * SLICE))
    mock_clock.jump(0.25)
    slices.add(Crowd(1))
    mock_clock.jump(0.5)
    nursery.start_soon(slices.run)
    await wait_all_tasks_blocked()
    assert (slices.lags.count, slices.lags.total) == (2, 0.75 + 0.5)


async def test_what_is_finished_on_the_spot_counts_too(mock_clock: MockClock) -> None:
    slices = Slices()
    slices.add(Crowd(1))
    mock_clock.jump(2)
    for _ in range(MOST_ROUNDS):
        slices.add(Crowd(1))
    assert (slices.lags.count, slices.lags.total) == (1, 2)


async def test_when_too_many_rounds_wait_the_oldest_is_finished_on_the_spot() -> None:
    slices, oldest = Slices(), Crowd(3 * SLICE)
    slices.add(oldest)
    for _ in range(MOST_ROUNDS):
        slices.add(Crowd(SLICE))
    assert oldest.left == 0
    assert len(slices) == MOST_ROUNDS


async def test_a_round_that_raised_goes_on_when_the_service_was_started_again(nursery: trio.Nursery) -> None:
    slices, broken = Slices(), Broken()
    slices.add(broken)
    with pytest.raises(ValueError):
        await slices.run()
    nursery.start_soon(slices.run)
    await wait_all_tasks_blocked()
    assert broken.tried == 2
    assert len(slices) == 0
