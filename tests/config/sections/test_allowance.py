from __future__ import annotations

from collections.abc import Callable

import pytest

from lasso_trio.config.profile import Allowance, Profile

Faults = Callable[..., list[str]]
Build = Callable[[str], str]
Read = Callable[..., Profile]


@pytest.fixture
def allowance(read: Read, with_provider: Build) -> Callable[[str], Allowance]:
    return lambda lines: read(with_provider(f"url: https://h\n{lines}")).chains[0].providers[0].allowance


def test_without_limits_a_provider_may_be_asked_as_much_as_it_takes(allowance: Callable[[str], Allowance]) -> None:
    assert allowance("") == allowance("limits: {rps: null}") == Allowance(None, None, {})


def test_limits_are_read_with_the_weights_of_any_method(allowance: Callable[[str], Allowance]) -> None:
    text = "limits: {rps: 25, daily: 300000, weights: {eth_getLogs: 5, my_method: 0}}"
    assert allowance(text) == Allowance(25, 300_000, {"eth_getLogs": 5, "my_method": 0})


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ("{rps: 0}", "'rps' must be a positive integer"),
        ("{daily: -1}", "'daily' must be a positive integer"),
        ("{rps: 2.5}", "'rps' must be a positive integer"),
        ("{weights: {eth_call: -1}}", "'eth_call' must be a non-negative integer"),
        ("{weights: 5}", "'weights' must hold"),
        ("{per_second: 5}", "unknown key 'per_second' in limits"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(faults: Faults, with_provider: Build, limits: str, problem: str) -> None:
    (fault,) = faults(with_provider(f"url: https://h\nlimits: {limits}"))
    assert fault.startswith("7:")
    assert problem in fault
