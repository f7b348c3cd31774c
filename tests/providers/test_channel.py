from __future__ import annotations

from math import inf
from random import Random

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.config.profile import Allowance, Transport
from lasso_trio.config.secret import SecretUrl
from lasso_trio.providers.allowance import Budget
from lasso_trio.providers.breaker import ISOLATED, SHARED, State
from lasso_trio.providers.catalogue import VERDICTS, Category, Verdict
from lasso_trio.providers.channel import EVIDENCE_ROWS, Channel, Version
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.http1 import Pool

NOW = 1000.0
SERVER, NETWORK, TIMEOUT = VERDICTS[Category.SERVER_ERROR], VERDICTS[Category.NETWORK_ERROR], VERDICTS[Category.TIMEOUT]
LIMITED, BLOCK = VERDICTS[Category.RATE_LIMIT], VERDICTS[Category.BLOCK_NOT_AVAILABLE]


@pytest.fixture
def channel() -> Channel:
    pool = Pool(Endpoint.from_url(SecretUrl("http://a/")))
    return Channel("1:a:0", "http://a", Transport.HTTP, pool, Version(), Random(1))


def open_it(channel: Channel, now: float = NOW) -> float:
    """When it will be half-open."""
    for _ in range(3):
        channel.failed("eth_call", NETWORK, 0.1, now)
    assert channel.breaker.state(now) is State.OPEN
    return channel.breaker.until


# Evidence


def test_a_success_is_evidence_of_its_method_alone(channel: Channel) -> None:
    for _ in range(3):
        channel.succeeded("eth_call", 0.1, NOW)
    assert channel.speed("eth_call", NOW) == pytest.approx(0.1)
    assert channel.speed("eth_getLogs", NOW) is None


def test_two_successes_are_not_enough(channel: Channel) -> None:
    for _ in range(2):
        channel.succeeded("eth_call", 0.1, NOW)
    assert channel.speed("eth_call", NOW) is None


def test_the_providers_failures_are_evidence_and_others_are_not(channel: Channel) -> None:
    for verdict in (SERVER, LIMITED, BLOCK, VERDICTS[Category.EXECUTION_REVERT]):
        channel.failed("eth_call", verdict, 0.1, NOW)
    assert channel.row("eth_call").failures(NOW) == 1


def test_an_expired_attempt_is_a_failure_and_a_lower_bound_of_its_latency(channel: Channel) -> None:
    for _ in range(4):
        channel.succeeded("eth_call", 0.1, NOW)
    channel.expired("eth_call", TIMEOUT, 0.6, NOW)
    evidence = channel.row("eth_call")
    assert (evidence.failures(NOW), evidence.censored(NOW)) == (1, 1)
    assert channel.speed("eth_call", NOW) == pytest.approx((4 * 0.1 + 0.6) / 4)


def test_methods_beyond_the_last_row_share_one(channel: Channel) -> None:
    for i in range(EVIDENCE_ROWS + 50):
        for _ in range(3):
            channel.succeeded(f"m{i}", 0.1 if i < EVIDENCE_ROWS else 0.3, NOW)
    assert len(channel.evidence) == EVIDENCE_ROWS + 1
    assert channel.speed("m0", NOW) == pytest.approx(0.1)
    assert channel.speed(f"m{EVIDENCE_ROWS + 1}", NOW) == pytest.approx(0.3)
    assert channel.speed("never_called", NOW) == pytest.approx(0.3)


# Breaker


@pytest.mark.parametrize(("category", "failures"), [(Category.SERVER_ERROR, 5), (Category.NETWORK_ERROR, 3)])
def test_failures_in_a_row_open_it(channel: Channel, category: Category, failures: int) -> None:
    for n in range(failures):
        assert channel.admit(NOW), n
        channel.failed("eth_call", VERDICTS[category], 0.1, NOW)
    assert not channel.admit(NOW)
    assert channel.breaker.reason == category


def test_a_success_in_between_starts_the_count_anew(channel: Channel) -> None:
    for minute in range(10):
        now = NOW + 60 * minute
        channel.failed("eth_call", NETWORK, 0.1, now)
        channel.failed("eth_call", NETWORK, 0.1, now)
        channel.succeeded("eth_call", 0.1, now)
    assert channel.admit(now)


def test_two_timeouts_open_one_profiles_channel_and_none_that_is_shared(channel: Channel) -> None:
    for policy, state in ((SHARED, State.CLOSED), (ISOLATED, State.OPEN)):
        channel.breaker.policy = policy
        for _ in range(2):
            channel.expired("eth_call", TIMEOUT, 1.0, NOW)
        assert channel.breaker.state(NOW) is state


def test_no_number_of_rate_limits_opens_it(channel: Channel) -> None:
    for _ in range(100):
        channel.failed("eth_call", LIMITED, 0.1, NOW)
    assert channel.breaker.state(NOW) is State.CLOSED


@pytest.mark.parametrize("end", ["succeeded", "failed", "expired", "limited", "abandoned"])
def test_half_open_admits_one_at_a_time_and_every_end_frees_the_place(channel: Channel, end: str) -> None:
    now = open_it(channel)
    assert channel.admit(now)
    assert not channel.admit(now + 1)
    match end:
        case "succeeded":
            channel.succeeded("eth_call", 1.0, now + 1)
        case "failed":
            channel.failed("eth_call", NETWORK, 1.0, now + 1)
        case "expired":
            channel.expired("eth_call", TIMEOUT, 1.0, now + 1)
        case "limited":
            channel.failed("eth_call", LIMITED, 1.0, now + 1)
        case "abandoned":
            channel.abandoned(now)
    reopened = end in ("failed", "expired")
    assert channel.admit(now + 1) != reopened
    assert (channel.breaker.state(now + 1) is State.OPEN) == reopened


def test_a_caller_that_leaves_from_before_does_not_free_the_place_of_the_probe(channel: Channel) -> None:
    """A slow call admitted while the breaker was closed is cancelled while another one probes the half-open channel."""
    now = open_it(channel)
    assert channel.admit(now)
    channel.abandoned(NOW - 1)
    assert not channel.admit(now + 1)
    channel.abandoned(now)
    assert channel.admit(now + 1)


# Cooldown


def test_a_rate_limit_cools_it_down_for_as_long_as_was_said(channel: Channel) -> None:
    channel.failed("eth_call", LIMITED, 0.1, NOW, 7.5)
    assert channel.cooldown.remaining(NOW) == 7.5
    assert channel.admit(NOW)


def test_without_a_hint_it_is_about_a_second(channel: Channel) -> None:
    channel.failed("eth_call", LIMITED, 0.1, NOW)
    assert 0.9 <= channel.cooldown.remaining(NOW) <= 1.1


def test_nothing_but_a_rate_limit_cools_it_down(channel: Channel) -> None:
    for verdict in VERDICTS.values():
        if verdict is not LIMITED:
            channel.failed("eth_call", verdict, 0.1, NOW, 60.0)
    assert not channel.cooldown.active(NOW)


# What others learn


def test_the_version_moves_with_the_breaker_and_the_cooldown_and_with_nothing_else(channel: Channel) -> None:
    def moved() -> bool:
        before, channel.version.value = channel.version.value, 0
        return before > 0

    for _ in range(2):
        channel.succeeded("eth_call", 0.1, NOW)
        channel.failed("eth_call", NETWORK, 0.1, NOW)
        channel.failed("eth_call", BLOCK, 0.1, NOW)
        channel.abandoned(NOW)
        assert not moved()
    channel.failed("eth_call", LIMITED, 0.1, NOW)
    assert moved()
    due = open_it(channel)
    assert moved()
    channel.breaker.state(due)
    assert moved()


def test_the_next_change_is_the_first_of_what_is_pending(channel: Channel) -> None:
    assert channel.next_change(NOW) == inf
    channel.failed("eth_call", LIMITED, 0.1, NOW, 5.0)
    assert channel.next_change(NOW) == NOW + 5
    due = open_it(channel)
    assert channel.next_change(NOW) == NOW + 5
    assert channel.next_change(NOW + 5) == due


def test_what_happens_to_it_is_logged_once_and_without_its_url(channel: Channel) -> None:
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            channel.failed("eth_call", LIMITED, 0.1, NOW, 5.0)
        open_it(channel)
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("cooldown.begun", "warning"),
        ("breaker.changed", "warning"),
    ]
    assert lines[0]["instance"] == "1:a:0"
    assert "http://a" not in str(lines)


def test_a_channel_without_a_pool_is_not_live(channel: Channel) -> None:
    assert channel.live
    assert not Channel("1:a:0", "ws://a", Transport.WS, None, Version(), Random(1)).live


def test_its_name_shows_no_url(channel: Channel) -> None:
    assert repr(channel) == "<Channel 1:a:0 http>"


# Pace, budget, bans


def test_a_refusal_teaches_a_pace_that_ranks_last_and_refuses_nobody(channel: Channel) -> None:
    for n in range(100):
        channel.succeeded("eth_call", 0.01, NOW - 5 + n / 20)
    channel.failed("eth_call", LIMITED, 0.1, NOW, 1.0)
    assert channel.pacing.rate == pytest.approx(10, rel=0.1)
    later = NOW + 2
    assert not channel.limited(later)
    version = channel.version.value
    assert all(channel.admit(later) for _ in range(50))
    assert channel.limited(later)
    assert channel.version.value == version + 1
    assert later < channel.next_change(later) < later + 3
    assert not channel.limited(channel.next_change(later))


def test_refusals_during_a_cooldown_are_no_news_unless_they_name_the_limit(channel: Channel) -> None:
    channel.failed("eth_call", LIMITED, 0.1, NOW, 30.0)
    channel.failed("eth_call", LIMITED, 0.1, NOW + 10)
    assert channel.pacing.times == 1
    channel.failed("eth_call", LIMITED, 0.1, NOW + 10, None, 0.2)
    assert channel.pacing.known == 0.2


def test_answers_let_the_pace_grow(channel: Channel) -> None:
    channel.failed("eth_call", LIMITED, 0.1, NOW, 1.0)
    before = channel.pacing.rate
    channel.succeeded("eth_call", 0.1, NOW + 2)
    assert before is not None
    assert channel.pacing.rate is not None
    assert channel.pacing.rate > before


def test_a_budget_refuses_what_does_not_fit_and_ranks_last_when_it_is_used_up(channel: Channel) -> None:
    channel.budget = Budget(Allowance(rps=3))
    version = channel.version.value
    assert channel.admit(NOW, "eth_call")
    assert not channel.admit(NOW, "eth_getLogs")
    assert not channel.limited(NOW)
    assert channel.admit(NOW, "eth_call")
    assert channel.admit(NOW, "eth_call")
    assert not channel.admit(NOW, "eth_call")
    assert (channel.limited(NOW), channel.version.value, channel.next_change(NOW)) == (True, version + 1, NOW + 1)
    assert channel.admit(NOW + 1, "eth_call")


def test_what_the_breaker_turns_away_spends_nothing(channel: Channel) -> None:
    channel.budget = Budget(Allowance(rps=3))
    open_it(channel)
    assert not channel.admit(NOW)
    assert channel.budget.spent(NOW) == (0, 0)


@pytest.mark.parametrize("category", [Category.METHOD_NOT_FOUND, Category.METHOD_ERROR])
def test_a_missing_method_is_banned_and_no_illness(channel: Channel, category: Category) -> None:
    version = channel.version.value
    for _ in range(20):
        channel.failed("trace_block", VERDICTS[category], 0.1, NOW)
    assert channel.bans.banned("trace_block", NOW)
    assert channel.breaker.state(NOW) is State.CLOSED
    assert channel.version.value == version + 1
    channel.succeeded("trace_block", 0.1, NOW)
    assert not channel.bans.banned("trace_block", NOW)
    assert channel.version.value == version + 2


def test_names_beyond_the_table_are_not_banned_together(channel: Channel) -> None:
    channel.failed("other", VERDICTS[Category.METHOD_NOT_FOUND], 0.1, NOW)
    assert not channel.bans.banned("other", NOW)


def test_a_quarantine_is_told_loudly(channel: Channel) -> None:
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            channel.failed("eth_call", VERDICTS[Category.AUTH_ERROR], 0.1, NOW)
    (line,) = lines
    assert (line["event"], line["log_level"], line["reason"], line["detail"]) == (
        "breaker.quarantined",
        "error",
        "auth_error",
        "3 in a row",
    )


INNOCENT = [v for v in VERDICTS.values() if not v.counts]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(INNOCENT),
            st.floats(0, 400),
            st.none() | st.floats(0, 1e5),
            st.none() | st.floats(0.01, 1e4),
        ),
        max_size=60,
    )
)
def test_no_history_of_rate_limits_and_clients_mistakes_opens_it_or_takes_it_out_of_service(
    history: list[tuple[Verdict, float, float | None, float | None]],
) -> None:
    channel = Channel("1:a:0", "http://a", Transport.HTTP, None, Version(), Random(1))
    now = NOW
    for verdict, wait, hint_s, per_second in history:
        now += wait
        assert channel.admit(now, "eth_call")
        channel.failed("eth_call", verdict, 0.1, now, hint_s, per_second)
        assert channel.breaker.state(now) is State.CLOSED
    assert not channel.limited(now + 86_400 + 250)


@given(st.lists(st.tuples(st.sampled_from(list(VERDICTS.values())), st.floats(0, 400)), min_size=1, max_size=60))
def test_it_returns_to_service_within_its_back_off_whatever_happened(history: list[tuple[Verdict, float]]) -> None:
    channel = Channel("1:a:0", "http://a", Transport.HTTP, None, Version(), Random(1))
    now = NOW
    for verdict, wait in history:
        now += wait
        if channel.admit(now):
            now += 0.1
            channel.failed("eth_call", verdict, 0.1, now)
    back = now + channel.breaker.retry_after(now) + 1e-6  # sums of floats
    for _ in range(2):
        assert channel.admit(back)
        channel.succeeded("eth_call", 0.01, back + 0.01)
    assert channel.breaker.state(back + 0.01) is State.CLOSED
    assert not channel.breaker.quarantined
