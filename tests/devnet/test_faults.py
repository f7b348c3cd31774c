from __future__ import annotations

from random import Random
from statistics import median

import pytest

from lasso_trio.devnet.faults import Failure, FaultPlan, Faults, Kind, Latency, decide
from lasso_trio.devnet.json_types import Json

CALL = ("eth_call",)


def draws(latency: Latency, n: int = 2000) -> list[float]:
    rng = Random(1)
    return [latency.draw_s(rng) for _ in range(n)]


def test_a_constant_latency_is_constant() -> None:
    assert set(draws(Latency.constant(30))) == {0.03}


def test_a_uniform_latency_stays_in_its_bounds() -> None:
    drawn = draws(Latency.uniform(10, 20))
    assert 0.010 <= min(drawn) < 0.011
    assert 0.019 < max(drawn) <= 0.020


def test_a_lognormal_latency_has_its_median_and_a_tail() -> None:
    drawn = draws(Latency.lognormal(10, 0.5))
    assert median(drawn) == pytest.approx(0.010, rel=0.05)
    assert max(drawn) > 0.030


def test_stalls_hit_their_share() -> None:
    drawn = draws(Latency(stall_share=0.1, stall_ms=1000))
    assert sum(drawn) == pytest.approx(200, rel=0.2)
    assert set(drawn) == {0.0, 1.0}


def test_the_same_seed_brings_the_same_misfortunes() -> None:
    faults = Faults(latency=Latency.lognormal(10, 1), failures=[Failure(Kind.RESET, share=0.3)])

    def run() -> list[Json]:
        rng = Random(7)
        return [decide(faults, CALL, rng) for _ in range(50)]

    assert run() == run()


def test_a_share_of_requests_fails() -> None:
    faults, rng = Faults(failures=[Failure(Kind.RESET, share=0.25)]), Random(1)
    failed = sum(decide(faults, CALL, rng).failure is not None for _ in range(4000))
    assert 900 < failed < 1100


def test_a_failure_concerns_its_methods_only_and_the_first_that_strikes_decides() -> None:
    faults = Faults(failures=[Failure("rpc", methods=["eth_getLogs"]), Failure("garbage"), Failure("reset")])
    kinds = [decide(faults, methods, Random(1)).failure.kind for methods in (("eth_getLogs",), CALL)]  # type: ignore[union-attr]
    assert kinds == [Kind.RPC, Kind.GARBAGE]


def test_a_failure_with_times_happens_that_often_and_anew_when_set_again() -> None:
    faults = Faults(failures=[Failure(Kind.HANG, times=2)])
    plan = FaultPlan(faults)
    assert [plan.next(CALL, 0.0).failure is not None for _ in range(4)] == [True, True, False, False]
    plan.set(faults)
    assert plan.next(CALL, 0.0).failure is not None


def test_the_throttle_lets_a_second_of_requests_through_then_says_when_to_come_back() -> None:
    plan = FaultPlan(Faults(rps=5))
    assert [plan.next(CALL, 0.0).failure is None for _ in range(7)] == [True] * 5 + [False] * 2
    refusal = plan.next(CALL, 0.0).failure
    assert refusal is not None
    assert (refusal.kind, refusal.status, refusal.retry_after_s) == (Kind.HTTP, 429, 1)
    assert [plan.next(CALL, 0.41).failure is None for _ in range(3)] == [True, True, False]


def test_a_throttle_below_one_a_second_names_a_longer_wait() -> None:
    plan = FaultPlan(Faults(rps=0.1))
    assert plan.next(CALL, 0.0).failure is None
    refusal = plan.next(CALL, 0.0).failure
    assert refusal is not None
    assert refusal.retry_after_s == 10


def test_faults_read_back_from_their_own_json() -> None:
    faults = Faults(Latency.lognormal(3, 1), [Failure(Kind.RPC, code=-32005, data={"see": "x"})], rps=2, lag=3)
    spelled = faults.to_json()
    assert Faults.from_json(spelled) == faults


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ([], "must be an object"),
        ({"lagg": 1}, "unknown 'lagg'"),
        ({"lag": -1}, "lag"),
        ({"lag": "3"}, "lag"),
        ({"rps": 0}, "rps"),
        ({"latency": {"stall_share": 1.5}}, "stall_share"),
        ({"latency": {"mean": 1}}, "unknown 'mean'"),
        ({"failures": {}}, "must be a list"),
        ({"failures": [{}]}, "kind"),
        ({"failures": [{"kind": "explode"}]}, "explode"),
        ({"failures": [{"kind": "http", "status": 99}]}, "status"),
        ({"ws_refuse_status": 101}, "ws_refuse_status"),
    ],
)
def test_bad_faults_are_refused_by_name(given: Json, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Faults.from_json(given)
