"""Traces on their way to a collector: never in a call's way, lost only when counted."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from structlog.testing import capture_logs

from lasso_trio.config.secret import Secret
from lasso_trio.config.tracing_terms import TracingTerms
from lasso_trio.tracing import collector as room
from lasso_trio.tracing.collector import Collector, Posting, Tally, Teller
from lasso_trio.tracing.spans import resource_of
from lasso_trio.tracing.traced import Trace


class Kept(SpanExporter):
    """Keeps spans instead of posting them; as long as it is `shut`, its thread waits."""

    def __init__(self, result: SpanExportResult = SpanExportResult.SUCCESS) -> None:
        self.result = result
        self.spans: list[ReadableSpan] = []
        self.open = threading.Event()
        self.open.set()
        self.closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.open.wait(5)
        self.spans += spans
        return self.result

    def shutdown(self) -> None:
        self.closed = True


def trace(number: int = 1) -> Trace:
    return Trace(number, 2, None, "public", "one", 1, "eth_call", "eth_call", "fastest", 0.0, 0.0, 0, ended=1.0)


def collector(inner: SpanExporter, capacity: int = 100) -> Collector:
    return Collector(Posting(inner, resource_of("lasso", {}, "me"), Tally()), capacity)


async def test_what_is_kept_is_posted_when_it_ends() -> None:
    inner = Kept()
    ours = collector(inner)
    for number in range(1, 4):
        ours.keep(trace(number))
    await ours.aclose()
    assert [span.context.trace_id for span in inner.spans if span.context] == [1, 2, 3]
    assert (ours.tally.exported, ours.tally.dropped, inner.closed) == (3, 0, True)


async def test_a_slow_collector_costs_traces_that_are_counted_and_no_time() -> None:
    inner = Kept()
    inner.open.clear()
    ours = collector(inner, capacity=4)
    for number in range(1, 100):
        ours.keep(trace(number))
    inner.open.set()
    await ours.aclose()
    assert ours.tally.dropped >= 90
    assert ours.tally.exported + ours.tally.dropped == 99


async def test_a_collector_that_refuses_is_counted() -> None:
    ours = collector(Kept(SpanExportResult.FAILURE))
    ours.keep(trace())
    await ours.aclose()
    assert (ours.tally.failed, ours.tally.exported) == (1, 0)


async def test_one_that_hangs_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CLOSE_S", 0.05)
    inner = Kept()
    inner.open.clear()
    ours = collector(inner)
    ours.keep(trace())
    await ours.aclose()
    assert ours.tally.exported == 0
    inner.open.set()


async def test_it_is_made_of_what_the_settings_say() -> None:
    ours = Collector.of(TracingTerms(Secret("http://127.0.0.1:9/v1/traces"), service="edge"), "node-1")
    assert ours.posting.resource.attributes["service.name"] == "edge"
    assert ours.posting.resource.attributes["service.instance.id"] == "node-1"
    assert ours.posting.force_flush()
    await ours.aclose()


async def test_the_collectors_url_is_in_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    terms = TracingTerms(Secret("http://u:sEkReT@127.0.0.1:9/otlp/sEkReT/v1/traces?k=sEkReT"))
    ours = Collector.of(terms, "node-1")
    ours.keep(trace())
    await ours.aclose()
    assert "sEkReT" not in "".join(capsys.readouterr())


def test_losses_are_told_once_a_minute_and_added_up() -> None:
    with capture_logs() as lines:
        teller = Teller("traces.dropped", "too slow")
        for lost, now in ((1, 100.0), (5, 130.0), (9, 161.0)):
            teller.tell(lost, now)
    assert [line["traces"] for line in lines] == [1, 8]
