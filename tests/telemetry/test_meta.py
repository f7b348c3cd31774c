from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from hashlib import sha256

import attrs
import pytest

from lasso_trio.telemetry.meta import MAX_HEADER_BYTES, CallFacts, meta_headers, meta_json, shown_request_id

FACTS = CallFacts(
    request_id="req-1",
    profile="default",
    strategy="fastest",
    chain="ethereum",
    chain_id=1,
    method="eth_call",
    candidates=["a:http", "b:http"],
    provider="a",
    transport="http",
    reason="fastest_method_latency",
    breaker_state="closed",
    retries=1,
    selection_s=0.0001234,
    upstream_s=0.0205,
    total_s=0.021,
)


def test_every_fact_of_a_call_is_told() -> None:
    assert json.loads(meta_json(FACTS)) == {
        "version": "1.0",
        "request_id": "req-1",
        "strategy": "fastest",
        "profile": "default",
        "chain": "ethereum",
        "chain_id": 1,
        "transport": "http",
        "candidate_providers": ["a:http", "b:http"],
        "selected_provider": {"id": "a", "protocol": "http"},
        "selection_reason": "fastest_method_latency",
        "selection_latency_ms": 0.123,
        "upstream_latency_ms": 20.5,
        "end_to_end_latency_ms": 21.0,
        "lasso_overhead_ms": 0.5,
        "retries": 1,
        "circuit_breaker_state": "closed",
        "hedges": 0,
    }


def test_what_has_no_value_is_left_out() -> None:
    meta = json.loads(meta_json(CallFacts("req-1", "default", "priority", "ethereum", 1, "eth_chainId")))
    assert None not in meta.values()
    assert not {"transport", "candidate_providers", "selected_provider", "selection_reason"} & meta.keys()
    assert (meta["retries"], meta["circuit_breaker_state"], meta["upstream_latency_ms"]) == (0, "unknown", 0.0)


def test_the_overhead_is_never_negative() -> None:
    assert json.loads(meta_json(attrs.evolve(FACTS, total_s=0.02)))["lasso_overhead_ms"] == 0.0


@pytest.mark.parametrize("text", ["x" * 128, "", "é" * 64])
def test_a_request_id_of_up_to_128_bytes_is_shown(text: str) -> None:
    assert shown_request_id(text) == text


@pytest.mark.parametrize("text", ["x" * 129, "é" * 65])
def test_a_longer_one_is_shown_as_its_digest(text: str) -> None:
    assert shown_request_id(text) == "sha256:" + sha256(text.encode()).hexdigest()
    assert json.loads(meta_json(attrs.evolve(FACTS, request_id=text)))["request_id"].startswith("sha256:")


def test_the_headers_carry_the_same_object() -> None:
    meta = meta_json(FACTS)
    first, second, end = meta_headers("req-1", meta).split(b"\r\n")
    assert (first, end) == (b"x-lasso-request-id: req-1", b"")
    value = second.removeprefix(b"x-lasso-meta: ")
    assert urlsafe_b64decode(value + b"=" * (-len(value) % 4)) == meta


def test_a_value_too_long_for_a_header_is_left_out() -> None:
    fits, too_long = b"x" * (MAX_HEADER_BYTES * 3 // 4), b"x" * (MAX_HEADER_BYTES * 3 // 4 + 1)
    assert b"x-lasso-meta: " in meta_headers("r", fits)
    assert meta_headers("r", too_long) == b"x-lasso-request-id: r\r\n"


def test_a_race_is_told_with_what_it_was_good_for() -> None:
    won = attrs.evolve(FACTS, hedges=1, hedge_delay_s=0.02, won_by="hedge", saved_s=1.5)
    told = json.loads(meta_json(won))
    assert (told["hedges"], told["won_by"], told["hedge_delay_ms"], told["saved_ms"]) == (1, "hedge", 20.0, 1500.0)


@pytest.mark.parametrize("won_by", ["first", "failover"])
def test_a_hedge_that_lost_saved_nothing(won_by: str) -> None:
    told = json.loads(meta_json(attrs.evolve(FACTS, hedges=1, hedge_delay_s=0.02, won_by=won_by, saved_s=1.0)))
    assert (told["won_by"], told["hedge_delay_ms"]) == (won_by, 20.0)
    assert "saved_ms" not in told


def test_nobody_is_named_for_a_race_that_nobody_won() -> None:
    told = json.loads(meta_json(attrs.evolve(FACTS, hedges=2, hedge_delay_s=0.02)))
    assert told["hedges"] == 2
    assert "won_by" not in told


def test_what_the_cache_did_is_told_where_it_was_asked() -> None:
    assert json.loads(meta_json(attrs.evolve(FACTS, cache="hit; final")))["cache"] == "hit; final"
    assert "cache" not in json.loads(meta_json(FACTS))
