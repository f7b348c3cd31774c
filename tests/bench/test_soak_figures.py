"""The soak's verdict: flat is flat under noise, a leak is none, and a loss is excused by a fault only."""

from __future__ import annotations

from random import Random

import pytest
from soak_figures import AFTERMATH_S, Fault, Lost, Sample, outside, slope, trends, verdict


def samples(*, leak: float = 0.0, of: str = "rss_mib", n: int = 400) -> list[Sample]:
    """Every two seconds, with noise, a warm-up and outliers; `leak`: so much of `of` per sample."""
    dice, made = Random(1), []
    for at in range(n):
        figures = {"rss_mib": 80 + dice.gauss(0, 0.5) - 20 / (1 + at / 4), "tasks": 150 + dice.randint(-3, 3)}
        figures["descriptors"] = 60 + dice.randint(0, 4) + (40 if at % 50 == 7 else 0)
        figures[of] += leak * at
        made.append(Sample(2.0 * at, calls=at, lost=0, **figures))
    return made


def test_noise_outliers_and_a_warm_up_are_flat() -> None:
    assert verdict(samples(), [], []) == []
    assert all(trend.flat for trend in trends(samples()))


@pytest.mark.parametrize(("of", "leak"), [("rss_mib", 0.05), ("tasks", 0.1), ("descriptors", 0.1)])
def test_a_leak_is_told_by_its_name(of: str, leak: float) -> None:
    assert [wrong.split()[0] for wrong in verdict(samples(leak=leak, of=of), [], [])] == [of]


def test_what_becomes_less_is_no_leak() -> None:
    assert verdict(samples(leak=-0.1), [], []) == []


def test_a_loss_is_excused_during_a_fault_and_a_little_after_it() -> None:
    fault = Fault("second killed", 10.0, 16.0)
    lost = [Lost(at, "no") for at in (9.9, 10.0, 16.0 + AFTERMATH_S, 16.1 + AFTERMATH_S)]
    assert outside(lost, [fault]) == [lost[0], lost[3]]
    assert verdict(samples(), lost[1:3], [fault]) == []
    assert verdict(samples(), lost, [fault]) == ["2 calls lost outside faults, the first: no"]


def test_a_short_run_proves_nothing() -> None:
    assert verdict(samples(n=4), [], []) == ["too few samples to tell"]
    assert verdict([], [], []) == ["too few samples to tell"]


def test_the_slope_is_that_of_most_pairs() -> None:
    assert slope([(0, 0), (1, 2), (2, 4), (3, 6), (4, 100)]) == 2
    assert slope([(0, 1), (1, 3), (2, 5)]) == 2
    assert slope([(0, 1)]) == 0.0
