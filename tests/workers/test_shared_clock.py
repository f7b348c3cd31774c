"""Two processes' clocks."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from lasso_trio.workers.shared_clock import SharedClock


async def test_a_moment_told_by_one_process_is_the_same_moment_in_another(autojump_clock: MockClock) -> None:
    here = SharedClock.of(lambda: 5000.0 + trio.current_time())
    there = SharedClock(-250.0)  # its trio clock is 250 s ahead of the machine's
    moment = trio.current_time() + 17.25
    assert there.into(here.out(moment)) == pytest.approx(5000.0 + moment + 250.0)
    assert here.into(here.out(moment)) == pytest.approx(moment, abs=1e-9)


async def test_it_does_not_drift() -> None:
    clock = SharedClock.of()
    await trio.sleep(0.01)
    assert SharedClock.of().offset == pytest.approx(clock.offset, abs=5e-3)
