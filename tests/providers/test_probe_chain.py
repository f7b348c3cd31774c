"""What an answer to `eth_chainId` leads to."""

from __future__ import annotations

from random import Random

import pytest
from structlog.testing import capture_logs

from lasso_trio.config.profile import Transport
from lasso_trio.providers.breaker import State
from lasso_trio.providers.channel import Channel, Version
from lasso_trio.providers.head import ChainCheck, Head
from lasso_trio.providers.probe_answer import Kind, ProbeAnswer
from lasso_trio.providers.probe_chain import SHOUT_EVERY, ChainWatch
from lasso_trio.providers.probe_witness import Witness

NOW = 1000.0


@pytest.fixture
def watch() -> ChainWatch:
    channel = Channel("1:a:0", "http://a", Transport.HTTP, None, Version(), Random(1))
    return ChainWatch(channel, Head(check=ChainCheck.PENDING), 1, Witness(channel.breaker))


def told(number: int | None) -> ProbeAnswer:
    return ProbeAnswer(Kind.GOOD if number else Kind.UNANSWERED, number=number)


def test_the_right_chain_may_serve_and_plans_are_made_anew_once(watch: ChainWatch) -> None:
    assert [watch.check(told(1), NOW), watch.check(told(1), NOW + 12)] == ["", ""]
    assert (watch.head.check, watch.channel.version.value) == (ChainCheck.RIGHT, 1)


def test_a_wrong_chain_is_quarantined_until_it_is_right(watch: ChainWatch) -> None:
    with capture_logs():
        assert watch.check(told(5), NOW) == "wrong chain_id: got 5, expected 1"
        assert (watch.head.check, watch.head.told_chain) == (ChainCheck.WRONG, 5)
        assert (watch.channel.breaker.state(NOW), watch.channel.breaker.quarantined) == (State.OPEN, True)
        assert watch.check(told(1), NOW + 12) == ""
    assert (watch.head.check, watch.head.told_chain) == (ChainCheck.RIGHT, None)
    assert watch.channel.breaker.state(NOW + 12) is State.HALF_OPEN


def test_it_is_shouted_about_again_but_not_each_time_and_at_once_if_it_is_another_one(watch: ChainWatch) -> None:
    with capture_logs() as logs:
        for n in range(SHOUT_EVERY + 1):
            watch.check(told(5), NOW + n)
        watch.check(told(7), NOW + 100)
    assert [line["got"] for line in logs if line["event"] == "probe.wrong_chain"] == [5, 5, 7]


def test_an_operators_quarantine_is_not_the_chains(watch: ChainWatch) -> None:
    watch.channel.breaker.quarantine("cordoned", NOW)
    watch.check(told(1), NOW)
    assert watch.channel.breaker.state(NOW) is State.OPEN


def test_who_cannot_be_asked_may_serve_with_a_warning(watch: ChainWatch) -> None:
    with capture_logs() as logs:
        assert [watch.check(told(None), NOW), watch.check(told(None), NOW)] == ["", ""]
    assert watch.head.check is ChainCheck.MUTE
    assert [line["event"] for line in logs] == ["probe.chain_unknown"]
