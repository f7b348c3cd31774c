"""What a channel lets others know, and when: where something changed, and never on the way of a call that went well."""

from __future__ import annotations

from random import Random

import pytest

from lasso_trio.config.profile import Transport
from lasso_trio.providers.catalogue import Category
from lasso_trio.providers.channel import Aspect, Channel, Version
from lasso_trio.providers.classify import classify, verdict_for

Told = list[tuple[Aspect, str]]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def channel(told: Told) -> Channel:
    made = Channel("1:x", "http://x", Transport.HTTP, None, Version(), Random(1))
    made.on_news = lambda _, aspect, method: told.append((aspect, method))
    return made


def test_calls_that_go_well_tell_nothing(channel: Channel, told: Told) -> None:
    for second in range(100):
        channel.admit(second)
        channel.succeeded("eth_call", 0.01, second)
    assert told == []


def test_an_opened_breaker_is_told_and_its_time_running_out_is_not(channel: Channel, told: Told) -> None:
    for _ in range(3):
        channel.failed("eth_call", verdict_for(Category.NETWORK_ERROR), 0.1, 10.0)
    assert told == [(Aspect.BREAKER, "")]
    assert channel.breaker.state(1e6) == "half_open"
    assert told == [(Aspect.BREAKER, "")]
    for second in (1e6 + 1, 1e6 + 2):
        channel.succeeded("eth_call", 0.1, second)
    assert told == [(Aspect.BREAKER, "")] * 2


def test_a_refusal_for_too_much_tells_the_cooldown_and_the_pace_once(channel: Channel, told: Told) -> None:
    for _ in range(5):
        channel.failed("eth_call", verdict_for(Category.RATE_LIMIT), 0.1, 10.0)
    assert told == [(Aspect.COOLDOWN, ""), (Aspect.PACE, "")]


def test_a_longer_cooldown_is_told_though_it_changes_no_plan(channel: Channel, told: Told) -> None:
    channel.failed("eth_call", verdict_for(Category.RATE_LIMIT), 0.1, 10.0, hint_s=5.0)
    told.clear()
    version = channel.version.value
    channel.failed("eth_call", verdict_for(Category.RATE_LIMIT), 0.1, 11.0, hint_s=60.0)
    assert told == [(Aspect.COOLDOWN, "")]
    assert channel.version.value == version


def test_an_order_is_told_and_the_latest_holds(channel: Channel, told: Told) -> None:
    channel.cordon(out=True, now=20.0)
    channel.cordon(out=False, now=19.0)
    assert channel.cordoned
    channel.cordon(out=False, now=21.0)
    assert not channel.cordoned
    assert told == [(Aspect.CORDON, "")] * 2


def test_a_method_that_is_missing_and_comes_back_is_told(channel: Channel, told: Told) -> None:
    missing = classify(200, -32601, "the method trace_block does not exist/is not available", None)
    channel.failed("trace_block", missing, 0.1, 10.0)
    channel.succeeded("trace_block", 0.1, 20.0)
    assert told == [(Aspect.BAN, "trace_block")] * 2
