"""Where traces go: a bounded queue, OpenTelemetry's batch thread, and OTLP over HTTP.

The loop leaves a finished trace in the queue and goes on. The thread makes spans of traces and posts them; a collector
that is slow or away costs traces, which are counted and told, never calls. The only importer of OpenTelemetry beside
`spans`; imported when tracing is on.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import monotonic
from typing import Final, cast

import attrs
import structlog
import trio
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, TraceFlags

from lasso_trio.config.tracing_terms import TracingTerms
from lasso_trio.tracing.spans import all_spans, resource_of
from lasso_trio.tracing.traced import Trace

CAPACITY: Final = 4096
"""Traces that wait. The thread takes them in batches of at most `BATCH`."""
BATCH: Final = 256
PAUSE_MS: Final = 1000
"""How often the thread looks."""
POST_S: Final = 5.0
CLOSE_S: Final = 2.0
TOLD_EVERY_S: Final = 60.0

_QUEUED: Final = SpanContext(1, 1, False, TraceFlags(TraceFlags.SAMPLED))

log = structlog.get_logger(__name__)


def mute() -> None:
    """OpenTelemetry's own words repeat the collector's URL, which may hold a key: we say ourselves what was lost."""
    theirs = logging.root.getChild("opentelemetry")
    theirs.propagate = False
    if not theirs.handlers:
        theirs.addHandler(logging.NullHandler())


@attrs.define(eq=False)
class Teller:
    """One line a minute at most, of one kind of loss."""

    event: str
    reason: str
    _told_at: float = -TOLD_EVERY_S
    _told_of: int = 0

    def tell(self, lost: int, now: float) -> None:
        """`lost`: so far, in all."""
        if now - self._told_at >= TOLD_EVERY_S:
            log.warning(self.event, traces=lost - self._told_of, reason=self.reason)
            self._told_at, self._told_of = now, lost


@attrs.define(eq=False)
class Tally:
    """Traces: `kept` were queued, `taken` by the thread; of these `exported` and `failed`. `dropped`: no room."""

    kept: int = 0
    taken: int = 0
    exported: int = 0
    failed: int = 0
    dropped: int = 0


@attrs.frozen(eq=False)
class _Queued:
    """A trace, in the clothes that the SDK's queue looks at."""

    trace: Trace
    context: SpanContext = _QUEUED


@attrs.frozen(eq=False)
class Posting(SpanExporter):
    """Called in the thread, with what was queued."""

    inner: SpanExporter
    resource: Resource
    tally: Tally
    _teller: Teller = attrs.field(factory=lambda: Teller("traces.failed", "the collector is away or refuses them"))

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        queued = cast("Sequence[_Queued]", spans)
        self.tally.taken += len(queued)
        result = SpanExportResult.FAILURE
        try:
            result = self.inner.export(all_spans((each.trace for each in queued), self.resource))
        finally:
            if result is SpanExportResult.SUCCESS:
                self.tally.exported += len(queued)
            else:
                self.tally.failed += len(queued)
                self._teller.tell(self.tally.failed, monotonic())
        return result

    def shutdown(self) -> None:
        self.inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self.inner.force_flush(timeout_millis)


@attrs.define(eq=False)
class Collector:
    """Made by `of`, ended by `aclose`. `keep` is for the loop only."""

    posting: Posting
    capacity: int = CAPACITY
    _processor: BatchSpanProcessor = attrs.field(init=False)
    _teller: Teller = attrs.field(factory=lambda: Teller("traces.dropped", "the collector is too slow"))

    @classmethod
    def of(cls, terms: TracingTerms, node: str) -> Collector:
        """Spans go where `terms` say, over a thread that starts at once."""
        mute()
        inner = OTLPSpanExporter(terms.endpoint.reveal(), headers=terms.header_fields(), timeout=POST_S)
        resource = resource_of(terms.service, dict(terms.attributes), node)
        return cls(Posting(inner, resource, Tally()))

    def __attrs_post_init__(self) -> None:
        self._processor = BatchSpanProcessor(
            self.posting,
            max_queue_size=self.capacity + BATCH,
            schedule_delay_millis=PAUSE_MS,
            max_export_batch_size=min(BATCH, self.capacity),
        )

    @property
    def tally(self) -> Tally:
        return self.posting.tally

    def keep(self, trace: Trace) -> None:
        """Never waits, never raises. Without room the trace is dropped and counted."""
        tally = self.tally
        if tally.kept - tally.taken >= self.capacity:
            tally.dropped += 1
            self._teller.tell(tally.dropped, monotonic())
            return
        tally.kept += 1
        self._processor.on_end(cast("ReadableSpan", _Queued(trace)))

    async def aclose(self) -> None:
        """Post what is queued, at most `CLOSE_S` seconds long: for a shielded, bounded place. The loop goes on."""
        with trio.move_on_after(CLOSE_S):
            await trio.to_thread.run_sync(self._processor.shutdown, abandon_on_cancel=True)
