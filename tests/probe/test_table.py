from __future__ import annotations

import io

import attrs
from rich.console import Console

from lasso_trio.probe.finding import Bound, Finding, Head, Http, Latency, Spent, WebSocket
from lasso_trio.probe.methods import Support, Trial
from lasso_trio.probe.table import show

BARE = Finding("one", "ethereum", "https://one/***", chain_id=1, expected_chain_id=1, spent=Spent(3, 12, 0))
FULL = attrs.evolve(
    BARE,
    client="Geth/[red]v1",
    latency=Latency(12.5, 80.0, 20),
    head=Head(20_000_000, 3.2, -1.0),
    lag=2,
    archive=Bound(128, exact=True, why="missing trie node"),
    log_range=Bound(1_000, exact=True),
    learned={"results": 10_000},
    batch=Bound(100, open=True),
    methods=(Trial("trace_block", "trace", Support.UNSUPPORTED, 1.0), Trial("eth_call", "state", Support.TIMEOUT, 1.0)),
    websocket=WebSocket(True, 1, 2.0, True, 1.25),
    http=Http("HTTP/2", True, True),
    spent=Spent(70, 230, 1),
)


def shown(*findings: Finding) -> str:
    out = io.StringIO()
    show(Console(file=out, width=160, highlight=False), findings)
    return out.getvalue()


def test_every_fact_has_its_line() -> None:
    text = shown(FULL)
    for fact in (
        "answers", "https://one/***",
        "Geth/[red]v1", "12.5 / 80 ms (20)", "20000000 (lag 2)", "block +3.2 s old, Date -1 s",
        "last 128 blocks", "1000 blocks, 10000 results", "100 or more", "1 unsupported, 1 timeout",
        "newHeads after 1.25 s",
        "HTTP/2, gzip", "70 requests, 230 calls, throttled 1×", "state: missing trie node", "lacks trace altogether",
    ):  # fmt: skip
        assert fact in text


def test_what_nobody_was_asked_has_no_line() -> None:
    text = shown(BARE)
    assert "latency" not in text
    assert "3 requests, 12 calls" in text


def test_bounds_that_are_not_exact_say_so() -> None:
    found = attrs.evolve(FULL, archive=Bound(7_000), log_range=Bound(5_000, open=True), batch=Bound(None))
    text = shown(found)
    assert "last ~7000 blocks" in text
    assert "all of 5000 blocks" in text
    assert "none" in text


def test_failures_and_wrong_chains_stand_out() -> None:
    text = shown(attrs.evolve(BARE, problem="HTTP 502"), attrs.evolve(BARE, name="two", chain_id=5))
    assert "FAILED" in text
    assert "one: HTTP 502" in text
    assert "WRONG CHAIN" in text
    assert "two: serves chain 5, and 1 was expected" in text


def test_websockets_come_in_three_kinds() -> None:
    assert "connects, no newHeads" in shown(attrs.evolve(BARE, websocket=WebSocket(True, 1, 1.0)))
    refused = shown(attrs.evolve(BARE, websocket=WebSocket(problem="refused: HTTP 403")))
    assert "│ no " in refused
    assert "one: WebSocket: refused: HTTP 403" in refused


def test_chains_are_tables_of_their_own_and_many_endpoints_several() -> None:
    many = [attrs.evolve(BARE, name=f"p{number}") for number in range(6)]
    text = shown(*many, attrs.evolve(BARE, chain=None, chain_id=10), attrs.evolve(BARE, chain=None, chain_id=None))
    assert text.count("verdict") == 4
    assert "chain 10" in text
    assert "no answer" in text


def test_single_methods_that_are_lacking_are_named() -> None:
    tried = (
        Trial("eth_getProof", "state", Support.UNSUPPORTED, 1.0),
        Trial("eth_call", "state", Support.SUPPORTED, 1.0),
    )
    assert "one: lacks eth_getProof" in shown(attrs.evolve(BARE, methods=tried))
