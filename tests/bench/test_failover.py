from __future__ import annotations

import pytest
from failover import Failover


def test_a_heads_delay_counts_from_its_first_arrival_at_a_living_provider() -> None:
    trial = Failover(
        told={1: {"a": 1.0, "b": 1.2, "client": 1.25}, 2: {"a": 2.0, "client": 2.5}, 3: {"a": 3.0}},
        dead={1: {"a"}, 2: {"a"}, 3: set()},
    )
    assert trial.delays_ms() == [pytest.approx(50.0)]


def test_a_head_that_the_client_never_got_is_missing() -> None:
    trial = Failover(told={1: {"client": 1.0}, 2: {"a": 2.0}, 4: {"client": 4.0}, 5: {"a": 5.0}})
    assert trial.missing() == [2, 3]


def test_what_is_told_directly_and_to_the_client_is_kept_by_block() -> None:
    trial = Failover(down={"b"})
    head = {"method": "eth_subscription", "params": {"result": {"number": "0x10"}}}
    trial.hear("a", head)
    trial.hear("client", head)
    trial.hear("client", {"method": "lasso_gap"})
    assert set(trial.told[16]) == {"a", "client"}
    assert trial.dead[16] == {"b"}
    assert trial.gaps == 1
