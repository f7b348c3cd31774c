from __future__ import annotations

import json

import attrs

from lasso_trio.probe.finding import Bound, Finding, Head, Latency, WebSocket, latency, with_lags
from lasso_trio.probe.methods import Support, Trial

GOOD = Finding("a", "ethereum", "https://a", chain_id=1, expected_chain_id=1)


def test_percentiles_are_samples_in_milliseconds() -> None:
    assert latency([]) is None
    assert latency([0.002]) == Latency(2.0, 2.0, 1)
    assert latency([number / 1000 for number in range(100, 0, -1)]) == Latency(50.0, 99.0, 100)


def test_lag_is_behind_the_best_of_the_same_chain() -> None:
    findings = (GOOD, attrs.evolve(GOOD, name="b"), attrs.evolve(GOOD, chain_id=10), Finding("d", None, "x"))
    lags = [found.lag for found in with_lags(findings, (100, 97, 5_000, None))]
    assert lags == [0, 3, 0, None]
    assert with_lags((GOOD,), (None,))[0].lag is None


def test_an_endpoint_on_another_chain_than_its_profile_says_is_not_ok() -> None:
    assert GOOD.ok
    wrong = attrs.evolve(GOOD, chain_id=5)
    assert wrong.wrong_chain
    assert not wrong.ok
    assert attrs.evolve(GOOD, expected_chain_id=None, chain_id=5).ok


def test_transports_that_serve_different_chains_are_wrong_whatever_was_expected() -> None:
    found = attrs.evolve(GOOD, expected_chain_id=None, websocket=WebSocket(True, 5))
    assert found.chain_ids == (1, 5)
    assert found.wrong_chain


def test_a_websocket_that_fails_matters_where_the_profile_names_one() -> None:
    failed = attrs.evolve(GOOD, websocket=WebSocket(problem="refused"))
    assert failed.ok
    assert not attrs.evolve(failed, needs_websocket=True).ok
    assert attrs.evolve(failed, needs_websocket=True, websocket=WebSocket(True, 1, 1.0, True)).ok


def test_a_problem_is_not_ok() -> None:
    assert not attrs.evolve(GOOD, problem="HTTP 502").ok


def test_json_holds_everything_and_what_follows_from_it() -> None:
    missing = Trial("eth_getProof", "state", Support.UNSUPPORTED, 1.0)
    fine = Trial("eth_call", "state", Support.SUPPORTED, 1.0)
    found = attrs.evolve(GOOD, head=Head(7), log_range=Bound(10, exact=True), methods=(missing, fine))
    shape = json.loads(json.dumps(found.to_json()))
    assert shape["ok"] is True
    assert shape["head"]["number"] == 7
    assert shape["log_range"] == {"limit": 10, "open": False, "exact": True, "why": ""}
    assert shape["methods"][0]["support"] == "unsupported"
    assert shape["unsupported_methods"] == ["eth_getProof"]
