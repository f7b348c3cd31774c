from __future__ import annotations

from lasso_trio.check.verdict import State, failed, passed, skipped, warned


def test_each_verdict_has_its_state_its_reason_and_its_figures() -> None:
    assert (passed("fine", n=1).state, passed("fine", n=1).figures) == (State.PASS, {"n": 1})
    assert [make("why", "do").state.value for make in (warned, failed, skipped)] == ["warn", "fail", "skip"]
    assert (failed("why", "do").why, failed("why", "do").todo, passed("why").todo) == ("why", "do", "")
