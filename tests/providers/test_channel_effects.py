"""A channel does what the verdict's own words say, whatever category carries them."""

from __future__ import annotations

from random import Random

import attrs
import pytest
import structlog

from lasso_trio.config.profile import Transport
from lasso_trio.providers.breaker import State
from lasso_trio.providers.catalogue import VERDICTS, Category, ErrorClass, Verdict
from lasso_trio.providers.channel import Channel, Version
from lasso_trio.providers.verdict import EFFECTS, verdict_of

NOW = 1000.0
QUOTA = verdict_of(Category.RATE_LIMIT, ErrorClass.QUOTA)
LIMITED = VERDICTS[Category.RATE_LIMIT]


@pytest.fixture
def channel() -> Channel:
    return Channel("1:a:0", "http://a", Transport.HTTP, None, Version(), Random(1))


def fail(channel: Channel, verdict: Verdict, times: int = 1) -> State:
    for _ in range(times):
        channel.failed("eth_call", verdict, 0.1, NOW)
    return channel.breaker.state(NOW)


@pytest.mark.parametrize("error_class", ErrorClass)
def test_each_class_has_the_effects_of_its_row(channel: Channel, error_class: ErrorClass) -> None:
    effect = EFFECTS[error_class]
    state = fail(channel, verdict_of(Category.SERVER_ERROR, error_class), 5)
    opens = effect.breaker in ("failure", "weighted", "quarantine")
    assert (state is State.OPEN) == opens
    assert channel.breaker.quarantined == (effect.breaker == "quarantine")
    assert channel.cooldown.active(NOW) == (effect.cooldown != "none")
    assert channel.cooldown.long == (effect.cooldown == "long")


def test_a_quarantine_waits_longer_whatever_the_category_is_called(channel: Channel) -> None:
    fail(channel, attrs.evolve(VERDICTS[Category.CHAIN_ERROR], breaker="quarantine"), 5)
    assert channel.breaker.retry_after(NOW) >= 300.0


def test_what_is_weighted_is_half_a_failure_for_the_ratio(channel: Channel) -> None:
    for effect, opens in (("weighted", False), ("failure", True)):
        verdict = attrs.evolve(VERDICTS[Category.SERVER_ERROR], breaker=effect)
        channel.breaker.close(NOW)
        channel.breaker.window.clear()
        states = []
        for _ in range(6):
            channel.succeeded("eth_call", 0.1, NOW)
            states.append(fail(channel, verdict))
        assert (State.OPEN in states) == opens


def test_a_revert_is_a_success_for_the_breaker_and_a_clients_mistake_is_nothing(channel: Channel) -> None:
    for category, left in ((Category.CLIENT_ERROR, 2), (Category.EXECUTION_REVERT, 0)):
        channel.breaker.close(NOW)
        fail(channel, VERDICTS[Category.SERVER_ERROR], 2)
        channel.succeeded("eth_call", 0.1, NOW, VERDICTS[category])
        assert channel.breaker.failures == left
        fail(channel, VERDICTS[category])
        assert channel.breaker.failures == left
        channel.succeeded("eth_call", 0.1, NOW)


def test_a_volume_that_is_used_up_is_left_alone_for_minutes_and_told_once_loudly(channel: Channel) -> None:
    with structlog.testing.capture_logs() as lines:
        fail(channel, LIMITED)
        fail(channel, QUOTA, 3)
    assert channel.cooldown.remaining(NOW) >= 270.0
    assert [(line["event"], line["log_level"]) for line in lines] == [
        ("cooldown.begun", "warning"),
        ("quota.used_up", "error"),
    ]


def test_a_volume_teaches_no_pace(channel: Channel) -> None:
    fail(channel, QUOTA)
    assert channel.pacing.rate is None


@pytest.mark.parametrize(("long", "event"), [(False, "cooldown.begun"), (True, "quota.used_up")])
def test_what_is_left_alone_without_a_call_is_told_like_a_refused_one(channel: Channel, long: bool, event: str) -> None:
    version = channel.version.value
    with structlog.testing.capture_logs() as lines:
        channel.cool(NOW, None, long=long)
    assert [line["event"] for line in lines] == [event]
    assert (channel.cooldown.long, channel.cooldown.remaining(NOW) >= 270.0) == (long, long)
    assert (channel.version.value, channel.pacing.rate) == (version + 1, None)


def test_refusals_during_a_cooldown_make_no_plan_stale(channel: Channel) -> None:
    fail(channel, LIMITED)
    version = channel.version.value
    for n in range(50):
        channel.failed("eth_call", LIMITED, 0.1, NOW, 1.0 + n)
    assert channel.version.value == version
    assert channel.next_change(NOW) == NOW + 50


def test_what_a_row_teaches_decides_about_a_ban(channel: Channel) -> None:
    fail(channel, verdict_of(Category.CAPABILITY_VIOLATION, ErrorClass.CAPABILITY, "method"))
    assert channel.bans.banned("eth_call", NOW)


def test_how_far_back_it_goes_is_learned_from_whatever_call_was_told(channel: Channel) -> None:
    pruned, text = VERDICTS[Category.REQUIRES_ARCHIVAL], "missing block, the earliest available is 500"
    channel.failed("eth_call", VERDICTS[Category.SERVER_ERROR], 0.1, NOW, text=text)
    assert channel.learned.reaches(499, NOW)
    channel.failed("eth_call", pruned, 0.1, NOW, text="max block range 7")
    assert channel.learned.known(NOW) == {}
    channel.failed("eth_call", pruned, 0.1, NOW, text=text)
    assert [channel.learned.reaches(block, NOW) for block in (499, 500)] == [False, True]
