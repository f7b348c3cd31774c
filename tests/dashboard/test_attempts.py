from __future__ import annotations

from lasso_trio.dashboard import attempts as module
from lasso_trio.dashboard.attempts import ALL, EACH, SPAN_S, Attempts


def fail(attempts: Attempts, address: str, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        attempts.failed(address, now)


def test_after_some_failures_an_address_must_wait_and_others_need_not() -> None:
    attempts = Attempts()
    fail(attempts, "192.0.2.1", EACH - 1)
    assert attempts.wait_s("192.0.2.1", 0.0) == 0.0
    fail(attempts, "192.0.2.1", 1)
    assert attempts.wait_s("192.0.2.1", 0.0) == SPAN_S / EACH
    assert attempts.wait_s("192.0.2.2", 0.0) == 0.0


def test_with_time_one_may_try_again() -> None:
    attempts = Attempts()
    fail(attempts, "192.0.2.1", EACH)
    assert attempts.wait_s("192.0.2.1", SPAN_S / EACH) == 0.0


def test_very_many_from_everywhere_stop_everybody() -> None:
    attempts = Attempts()
    for n in range(ALL):
        attempts.failed(f"192.0.2.{n}", 0.0)
    assert attempts.wait_s("198.51.100.1", 0.0) > 0


def test_an_ipv6_network_is_one_address() -> None:
    attempts = Attempts()
    fail(attempts, "2001:db8::1", EACH)
    assert attempts.wait_s("2001:db8::2", 0.0) > 0


def test_memory_is_bounded_whoever_comes() -> None:
    attempts = Attempts()
    for n in range(module.MOST_ADDRESSES + 100):
        attempts.wait_s(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 0.0)
    assert len(attempts._buckets) <= module.MOST_ADDRESSES
