from __future__ import annotations

import json
from random import Random

import pytest

from lasso_trio.config.profile import Allowance, Transport
from lasso_trio.providers.allowance import Budget
from lasso_trio.providers.catalogue import VERDICTS, Category
from lasso_trio.providers.channel import Channel, Version
from lasso_trio.providers.classify import classify
from lasso_trio.server.channel_view import channel_row

NOW = 1000.0


@pytest.fixture
def channel() -> Channel:
    return Channel("1:a:0", "https://a/***", Transport.HTTP, None, Version(), Random(1))


def test_a_fresh_channel_is_closed_and_unlimited(channel: Channel) -> None:
    row = channel_row(channel, NOW)
    assert (row["transport"], row["live"], row["endpoint"], row["in_flight"]) == ("http", False, "https://a/***", 0)
    breaker = row["circuit_breaker"]
    assert (breaker["state"], breaker["reason"], breaker["quarantined"]) == ("closed", None, False)
    assert breaker["transitions"] == []
    assert (row["cooldown_ms"], row["pacing"], row["budget"], row["banned_methods"]) == (0, None, None, {})


def test_every_change_of_the_breaker_is_told_with_its_age_and_reason_newest_first(channel: Channel) -> None:
    for _ in range(3):
        channel.failed("eth_call", VERDICTS[Category.NETWORK_ERROR], 0.1, NOW)
    later = NOW + 70
    breaker = channel_row(channel, later)["circuit_breaker"]
    assert (breaker["state"], breaker["reason"], breaker["opened_total"]) == ("half_open", "network_error", 1)
    newest, oldest = breaker["transitions"]
    assert (newest["from"], newest["to"], newest["reason"], newest["for_ms"]) == (
        "open",
        "half_open",
        "recovery time over",
        None,
    )
    assert (oldest["to"], oldest["reason"], oldest["detail"], oldest["age_ms"]) == (
        "open",
        "network_error",
        "3 in a row",
        70_000,
    )
    assert 60_000 <= oldest["for_ms"] <= 63_000


def test_a_quarantine_shows_and_one_without_an_end_is_json_too(channel: Channel) -> None:
    channel.breaker.quarantine("wrong_chain", NOW)
    row = channel_row(channel, NOW + 1)
    breaker = json.loads(json.dumps(row, allow_nan=False))["circuit_breaker"]
    assert (breaker["state"], breaker["reason"], breaker["quarantined"]) == ("open", "wrong_chain", True)
    assert breaker["transitions"][0]["for_ms"] is None


def test_the_window_that_the_ratio_is_made_of(channel: Channel) -> None:
    for _ in range(3):
        channel.succeeded("eth_call", 0.1, NOW)
    channel.expired("eth_call", VERDICTS[Category.TIMEOUT], 1.0, NOW + 1.0)
    breaker = channel_row(channel, NOW + 1.0)["circuit_breaker"]
    assert (breaker["recent_calls"], breaker["recent_failures"], breaker["consecutive_failures"]) == (4, 0.5, 1)


def test_what_limits_it(channel: Channel) -> None:
    channel.failed("eth_call", VERDICTS[Category.RATE_LIMIT], 0.1, NOW, 7.5, 50.0)
    channel.failed("eth_getProof", VERDICTS[Category.METHOD_NOT_FOUND], 0.1, NOW)
    channel.budget = Budget(Allowance(rps=3, daily=100))
    assert channel.admit(NOW, "eth_getLogs")
    row = channel_row(channel, NOW)
    assert (row["cooldown_ms"], row["cooldowns_total"]) == (7_500, 1)
    assert row["pacing"] == {"calls_per_second": 45.0, "told_per_second": 50.0, "over": True, "cuts_total": 1}
    assert row["budget"] == {
        "rps": 3,
        "spent_last_second": 3,
        "daily": 100,
        "spent_last_day": 3,
        "exhausted_ms": 1000,
    }
    assert row["banned_methods"] == {"eth_getProof": 600_000}
    channel.pacing.refused(NOW + 5, 0.0)
    assert channel_row(channel, NOW + 5)["pacing"]["told_per_second"] == 50.0


def test_errors_that_nobody_knows_are_listed_without_their_numbers(channel: Channel) -> None:
    for block in (17, 18):
        verdict = classify(200, -32000, f"the gizmo {block} is not turned", None)
        channel.unknown.hear(verdict, 200, -32000, f"the gizmo {block} is not turned", "1:x", 5.0)
    (row,) = channel_row(channel, 6.0)["unknown_errors"]
    assert row == {
        "http_status": 200,
        "code": -32000,
        "text": "the gizmo # is not turned",
        "times": 2,
        "last_age_ms": 1000,
    }
