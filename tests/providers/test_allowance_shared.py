"""An allowance that several processes keep together: each its part."""

from __future__ import annotations

from lasso_trio.config.profile import Allowance
from lasso_trio.providers.allowance import Budget


def sent(budgets: list[Budget], seconds: float, step: float = 0.05) -> int:
    """Calls that go out when all ask all the time."""
    count = 0
    for tick in range(round(seconds / step)):
        for budget in budgets:
            now = tick * step
            if budget.affords("m", now):
                budget.spend("m", now)
                count += 1
    return count


def test_four_processes_together_spend_what_one_may_in_a_second() -> None:
    for rps in (1, 4, 20):
        budgets = [Budget(Allowance(rps, None, {}), share=0.25) for _ in range(4)]
        together, alone = sent(budgets, 20), sent([Budget(Allowance(rps, None, {}))], 20)
        assert 0.7 * alone <= together <= alone + 4


def test_together_they_spend_the_day_and_no_more() -> None:
    budgets = [Budget(Allowance(None, 100, {}), share=0.25) for _ in range(4)]
    assert sent(budgets, 20) == 100
    assert all(budget.over(20.0) for budget in budgets)
