"""Spans of a real process at a real collector: one per call, one per attempt, in the client's own trace."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import pytest
import trio
from websockets.sync.client import connect

from lasso_trio.devnet import Chain, Devnet, Failure, Faults, Kind, Latency
from tests.e2e import lasso as proxies
from tests.e2e import otlp
from tests.e2e.anvil import CHAIN_ID
from tests.e2e.lasso import Lasso
from tests.e2e.otlp import Collector

SERVER, CLIENT = 2, 3
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ASKED = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=abc"}
CALL = b'{"jsonrpc":"2.0","id":1,"method":"eth_gasPrice","params":[]}'
KEY = "sEkReTkey0123456789"
FAULTS = {
    "slow": Faults(latency=Latency.constant(3000)),
    "quick": Faults(),
    "broken": Faults(failures=(Failure(Kind.HTTP, status=502),)),
}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with otlp.running() as running:
        yield running


def asked(lasso: Lasso, hedge: str = "off") -> None:
    """One call in the client's trace, one in none, and a batch of two. `hedge`: when the first is late, after so many
    milliseconds.
    """
    priority = lasso.path("priority")
    lasso.ask(CALL, priority, {**ASKED, "X-Lasso-Hedge": hedge, "x-request-id": "asked-by-me"})
    lasso.ask(CALL, priority, {"X-Lasso-Hedge": "off"})
    lasso.ask(b"[" + CALL + b"," + CALL.replace(b'"id":1', b'"id":2') + b"]", priority, {"X-Lasso-Hedge": "off"})


async def traced(
    folder: Path, collector: Collector, *names: str, ask: Callable[[Lasso], None] = asked, **env: str
) -> list[dict[str, object]]:
    """Ask a node before the providers of that name a few things; what its log told of the calls."""
    told: list[dict[str, object]] = []

    def use(urls: dict[str, str]) -> None:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "LASSO_PROBES": "off", **env}
        with proxies.running(folder / "node", urls, env=variables) as lasso:
            ask(lasso)
        told.extend(lasso.completed())

    async with Devnet.open(FAULTS, chain=Chain(block_time=None, chain_id=CHAIN_ID)) as net:
        await trio.to_thread.run_sync(partial(use, {name: f"{net.url(name)}/v2/{KEY}?key={KEY}" for name in names}))
    return told


async def test_both_attempts_of_a_hedged_call_are_under_its_span_in_the_clients_trace(
    tmp_path: Path, collector: Collector
) -> None:
    lines = await traced(tmp_path, collector, "slow", "quick", ask=partial(asked, hedge="30"), OTEL_SERVICE_NAME="edge")
    assert collector.resource["service.name"] == "edge"
    spans = collector.of(TRACE)
    (call,) = [span for span in spans if span.kind == SERVER]
    attempts = {span.attributes["lasso.provider"]: span for span in spans if span.kind == CLIENT}
    assert (call.parent_id, call.state, call.name) == (SPAN, "vendor=abc", "eth_gasPrice")
    assert call.attributes["lasso.request_id"] == "asked-by-me"
    assert (call.attributes["lasso.hedges"], call.attributes["lasso.hedge_won"]) == (1, True)
    assert call.attributes["lasso.provider"] == "quick"
    assert {span.parent_id for span in attempts.values()} == {call.span_id}
    slow, quick = attempts["slow"].attributes, attempts["quick"].attributes
    assert (slow["lasso.attempt.role"], slow["lasso.attempt.verdict"]) == ("first", "cancelled")
    assert slow["lasso.attempt.at_least_ms"] >= 30
    assert (quick["lasso.attempt.role"], quick["lasso.attempt.verdict"]) == ("hedge", "success")
    assert call.start_ns <= attempts["slow"].start_ns < attempts["quick"].start_ns < call.end_ns
    assert [line["trace_id"] for line in lines if line["request_id"] == "asked-by-me"] == [TRACE]
    assert {line["trace_id"] for line in lines} == {span.trace_id for span in collector.spans}


async def test_a_failed_attempt_is_told_beside_the_one_that_replaced_it(tmp_path: Path, collector: Collector) -> None:
    await traced(tmp_path, collector, "broken", "quick")
    spans = collector.of(TRACE)
    (call,) = [span for span in spans if span.kind == SERVER]
    first, second = sorted((span for span in spans if span.kind == CLIENT), key=lambda span: span.start_ns)
    assert (call.failed, call.attributes["lasso.failovers"]) == (False, 1)
    assert (first.failed, first.attributes["error.type"]) == (True, "server_error")
    assert second.attributes["lasso.attempt.role"] == "failover"


async def test_each_call_of_a_batch_has_a_span(tmp_path: Path, collector: Collector) -> None:
    await traced(tmp_path, collector, "quick")
    calls = [span for span in collector.spans if span.kind == SERVER]
    requests = [span.attributes["lasso.request_id"] for span in calls]
    assert len(calls) == 4
    assert sorted(requests.count(each) for each in set(requests)) == [1, 1, 2]


async def test_calls_over_a_websocket_are_in_the_trace_of_its_upgrade(tmp_path: Path, collector: Collector) -> None:
    def say(lasso: Lasso) -> None:
        with connect(lasso.ws_url, additional_headers=ASKED) as socket:
            for _ in range(2):
                socket.send(CALL.decode())
                assert "result" in json.loads(socket.recv(10))

    await traced(tmp_path, collector, "quick", ask=say)
    calls = [span for span in collector.of(TRACE) if span.kind == SERVER]
    assert [(span.parent_id, span.attributes["lasso.client.transport"]) for span in calls] == [(SPAN, "ws")] * 2


async def test_what_became_of_traces_is_in_the_metrics(tmp_path: Path, collector: Collector) -> None:
    pages: list[str] = []

    def look(lasso: Lasso) -> None:
        lasso.ask(CALL, headers=ASKED)
        collector.wait_for(bool)
        with urlopen(f"http://127.0.0.1:{lasso.port}/metrics") as page:
            pages.append(page.read().decode())

    await traced(tmp_path, collector, "quick", ask=look)
    assert 'lasso_traces_total{outcome="dropped"} 0' in pages[0]


async def test_no_key_is_in_a_span(tmp_path: Path, collector: Collector) -> None:
    await traced(tmp_path, collector, "broken", "quick", OTEL_EXPORTER_OTLP_HEADERS=f"x-key={KEY}")
    assert collector.headers[0]["x-key"] == KEY
    assert not any(KEY.encode() in body for body in collector.bodies)


async def test_the_client_decides_for_its_trace_and_the_ratio_for_the_others(
    tmp_path: Path, collector: Collector
) -> None:
    lines = await traced(
        tmp_path, collector, "quick", OTEL_TRACES_SAMPLER="parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG="0"
    )
    assert {span.trace_id for span in collector.spans} == {TRACE}
    assert [line.get("trace_id") for line in lines].count(None) == 3


async def test_a_collector_that_is_away_costs_no_call(tmp_path: Path, collector: Collector) -> None:
    lines = await traced(tmp_path, collector, "quick", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9")
    assert [json.dumps(line["response"]["status"]) for line in lines] == ['"success"'] * 4
    assert collector.bodies == []
