from __future__ import annotations

from lasso_trio.access.grant import MOST_LIMITS, Grant, Limits
from lasso_trio.config.access import ANY, Names, Terms


def test_both_the_profile_and_the_key_must_permit_a_method() -> None:
    grant = Grant("a", Terms(methods=Names(("eth_*",))))
    assert grant.permits(ANY, "eth_call")
    assert not grant.permits(ANY, "net_version")
    assert not grant.permits(Names(deny=("eth_call",)), "eth_call")


def test_equal_terms_share_a_limit_and_the_burst_is_the_rate_unless_written() -> None:
    limits = Limits()
    assert limits.of(Terms()) is None
    limit = limits.of(Terms(5))
    assert limit is limits.of(Terms(5, 5))
    assert limit is not None
    assert (limit.rate, limit.burst) == (5, 5)
    assert limits.of(Terms(5, 6)) is not limit


def test_tokens_cannot_make_any_number_of_limits() -> None:
    limits = Limits()
    for rate in range(1, MOST_LIMITS + 50):
        limits.of(Terms(rate))
    assert len(limits.limits) == MOST_LIMITS
