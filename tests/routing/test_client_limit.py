from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.routing import client_limit
from lasso_trio.routing.client_limit import ClientLimit, client_key


def test_a_client_may_burst_and_then_go_on_at_its_rate() -> None:
    limit = ClientLimit(rate=10, burst=5)
    assert [limit.take("x", 1, 0.0) for _ in range(5)] == [0.0] * 5
    assert limit.take("x", 1, 0.0) == pytest.approx(0.1)
    assert limit.take("x", 1, 0.1) == 0.0
    assert limit.take("x", 1, 0.1) > 0


def test_a_refusal_takes_nothing_and_its_wait_is_enough() -> None:
    limit = ClientLimit(rate=10, burst=5)
    limit.take("x", 4, 0.0)
    wait = limit.take("x", 3, 0.0)
    assert wait == pytest.approx(0.2)
    assert limit.take("x", 1, 0.0) == 0.0
    assert limit.take("x", 3, wait + 0.1 + 1e-9) == 0.0


def test_clients_do_not_pay_for_each_other() -> None:
    limit = ClientLimit(rate=1, burst=1)
    assert limit.take("x", 1, 0.0) == limit.take("y", 1, 0.0) == 0.0
    assert limit.take("x", 1, 0.0) > 0


def test_what_is_larger_than_a_burst_takes_a_full_bucket() -> None:
    limit = ClientLimit(rate=10, burst=5)
    assert limit.take("x", 50, 0.0) == 0.0
    assert limit.take("x", 50, 0.0) == pytest.approx(0.5)
    assert limit.take("x", 50, 0.5 + 1e-9) == 0.0


@given(
    st.integers(1, 50),
    st.integers(1, 50),
    st.lists(st.tuples(st.floats(0, 2), st.integers(1, 20)), min_size=1, max_size=60),
)
def test_nobody_gets_more_than_burst_plus_rate(rate: int, burst: int, calls: list[tuple[float, int]]) -> None:
    limit, now, taken = ClientLimit(rate, burst), 0.0, 0
    for pause, n in calls:
        now += pause
        if limit.take("x", n, now) == 0.0:
            taken += min(n, burst)
    assert taken <= burst + rate * now + 1e-6


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 8)), min_size=1, max_size=30))
def test_whoever_waits_as_told_is_let_in(calls: list[tuple[float, int]]) -> None:
    limit, now = ClientLimit(10, 5), 0.0
    for pause, n in calls:
        now += pause
        wait = limit.take("x", n, now)
        if wait:
            now += wait + 1e-9
            assert limit.take("x", n, now) == 0.0


# Memory


def test_full_buckets_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_limit, "MOST_CLIENTS", 100)
    limit = ClientLimit(rate=10, burst=5)
    for i in range(90):
        limit.take(f"early {i}", 1, 0.0)
    for i in range(10):
        limit.take(f"late {i}", 5, 10.0)
    assert limit.take("one more", 1, 10.0) == 0.0
    assert len(limit) == 11
    assert limit.take("late 0", 1, 10.0) > 0


def test_in_a_flood_the_longest_silent_start_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_limit, "MOST_CLIENTS", 100)
    limit = ClientLimit(rate=1, burst=5)
    for i in range(101):
        limit.take(f"client {i}", 5, i / 1000)
    assert len(limit) == 51
    assert limit.take("client 99", 5, 0.1) > 0
    assert limit.take("client 1", 5, 0.1) == 0.0


def test_a_flood_is_swept_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the mix of fresh and full buckets, a sweep frees half of the room: its cost is spread."""
    sweeps = 0
    forget = ClientLimit._forget

    def counted(self: ClientLimit, now: float) -> None:
        nonlocal sweeps
        sweeps += 1
        forget(self, now)

    monkeypatch.setattr(client_limit, "MOST_CLIENTS", 100)
    monkeypatch.setattr(ClientLimit, "_forget", counted)
    limit, rng = ClientLimit(rate=1, burst=5), Random(1)
    for i in range(5000):
        limit.take(f"{rng.random()}", 1, i / 19)  # 95 of 100 are still filling when the room is full
        assert len(limit) <= 100
    assert sweeps <= 5000 / 50 + 1


# Who is one client


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("unix:", "unix:"),
        ("not:an:address", "not:an:address"),
    ],
)
def test_an_ipv6_client_is_its_64(address: str, key: str) -> None:
    assert client_key(address) == key
