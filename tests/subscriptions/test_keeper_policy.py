"""What the end of a session means, and how long a keeper then waits."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.config.profile import ErrorRule
from lasso_trio.providers.classify import Category, Verdict, verdict_for
from lasso_trio.subscriptions.keeper_policy import Backoff, hint_s, judge, may_hurry
from lasso_trio.upstream.faults import ConnectFault, TlsFault
from lasso_trio.upstream.websocket import Ending


@pytest.mark.parametrize(
    ("ending", "category"),
    [
        (Ending("closed", 1001, opened=True), None),
        (Ending("closed", 1012, opened=True), None),
        (Ending("wrong_chain", opened=True), None),
        (Ending("closed", 1011, opened=True), Category.NETWORK_ERROR),
        (Ending("lost", opened=True), Category.NETWORK_ERROR),
        (Ending("eof"), Category.NETWORK_ERROR),
        (Ending("silent", opened=True), Category.TIMEOUT),
        (Ending("timed_out"), Category.TIMEOUT),
        (Ending("dial", fault=ConnectFault("refused")), Category.NETWORK_ERROR),
        (Ending("dial", fault=TlsFault("certificate")), Category.NETWORK_ERROR),
        (Ending("dial", fault=ConnectFault("no_descriptors", local=True)), Category.LOCAL_CAPACITY),
        (Ending("refused", 429), Category.RATE_LIMIT),
        (Ending("refused", 401), Category.AUTH_ERROR),
        (Ending("refused", 502), Category.SERVER_ERROR),
    ],
)
def test_every_end_has_its_verdict(ending: Ending, category: Category | None) -> None:
    verdict = judge(ending)
    assert (verdict and verdict.category) == category


def test_a_refused_upgrade_is_judged_by_what_the_profiles_say_of_it() -> None:
    rule = ErrorRule("rate_limit", code=418, message_contains=("teapot",))
    assert judge(Ending("refused", 418, "a Teapot"), [rule]) == verdict_for(Category.RATE_LIMIT)
    assert judge(Ending("refused", 418, "a kettle"), [rule]) != verdict_for(Category.RATE_LIMIT)


def test_an_unpaid_bill_is_no_passing_rate() -> None:
    verdicts = [judge(Ending("refused", status)) for status in (402, 429)]
    assert [verdict and verdict.cooldown for verdict in verdicts] == ["long", "hinted"]


def test_a_refusal_says_when_to_come_back() -> None:
    assert hint_s(Ending("refused", 429, headers=[(b"Retry-After", b"7")]), 0.0) == 7
    assert hint_s(Ending("refused", 429, "try again in 3s"), 0.0) == 3
    assert hint_s(Ending("refused", 429), 0.0) is None


def waits(ending: Ending, times: int, verdict: Verdict | None = None, cooldown_s: float = 0.0) -> list[float]:
    backoff, rng = Backoff(), Random(1)
    found = []
    for _ in range(times):
        backoff.ended()
        found.append(backoff.wait_s(ending, verdict, cooldown_s, rng))
    return found


def test_the_first_reconnection_comes_at_once_and_the_others_later_and_later() -> None:
    found = waits(Ending("lost"), 12, verdict_for(Category.NETWORK_ERROR))
    assert 0.05 <= found[0] <= 0.5
    for wait, usual in zip(found[1:], [1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30], strict=True):
        assert 0.8 * usual <= wait <= 1.2 * usual


def test_who_stood_begins_anew() -> None:
    backoff = Backoff(failures=9)
    backoff.stood()
    backoff.ended()
    assert backoff.wait_s(Ending("lost"), None, 0.0, Random(1)) <= 0.5


def test_throttling_is_obeyed_and_half_a_minute_at_least() -> None:
    throttled = verdict_for(Category.RATE_LIMIT)
    assert 30 <= waits(Ending("refused", 429), 1, throttled)[0] <= 36
    assert 300 <= waits(Ending("refused", 429), 1, throttled, cooldown_s=300)[0] <= 360


def test_a_refused_key_waits_two_minutes_and_a_wrong_chain_longer_and_longer() -> None:
    assert 96 <= waits(Ending("refused", 401), 1, verdict_for(Category.AUTH_ERROR))[0] <= 144
    wrong = waits(Ending("wrong_chain"), 6)
    assert 24 <= wrong[0] <= 36
    assert 240 <= wrong[-1] <= 360


@given(st.integers(0, 10_000), st.sampled_from(["lost", "wrong_chain", "refused"]), st.integers())
def test_a_wait_is_never_nothing_and_never_without_end(failures: int, reason: str, seed: int) -> None:
    wait = Backoff(failures).wait_s(Ending(reason), None, 0.0, Random(seed))
    assert 0.05 <= wait <= 360


@pytest.mark.parametrize(
    ("ending", "may"),
    [
        (Ending("lost", opened=True), True),
        (Ending("closed", 1001, opened=True), True),
        (Ending("refused", 502), True),
        (Ending("refused", 429), False),
        (Ending("refused", 401), False),
        (Ending("wrong_chain", opened=True), False),
    ],
)
def test_a_wait_is_not_cut_short_against_a_providers_will(ending: Ending, may: bool) -> None:
    assert may_hurry(ending, judge(ending)) is may
