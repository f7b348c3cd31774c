"""A collector that takes OTLP over HTTP: what it was sent, decoded. With `slow_s` it keeps its senders waiting."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import attrs
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@attrs.frozen
class Span:
    """`kind`: as OTLP numbers it, 2 is server and 3 is client. Ids are hexadecimal."""

    name: str
    kind: int
    trace_id: str
    span_id: str
    parent_id: str
    state: str
    start_ns: int
    end_ns: int
    failed: bool
    attributes: dict[str, Any]


@attrs.define(eq=False)
class Collector:
    """`bodies`: as they came. `headers`: of each request."""

    url: str
    bodies: list[bytes] = attrs.field(factory=list)
    headers: list[dict[str, str]] = attrs.field(factory=list)
    slow_s: float = 0.0

    @property
    def spans(self) -> list[Span]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in tuple(self.bodies)]
        scopes = [scope for request in requests for each in request.resource_spans for scope in each.scope_spans]
        return [_span(span) for scope in scopes for span in scope.spans]

    @property
    def resource(self) -> dict[str, Any]:
        return _plain(ExportTraceServiceRequest.FromString(self.bodies[0]).resource_spans[0].resource.attributes)

    def of(self, trace_id: str) -> list[Span]:
        return [span for span in self.spans if span.trace_id == trace_id]

    def wait_for(self, enough: Callable[[list[Span]], bool], patience_s: float = 15.0) -> list[Span]:
        """The spans, once they are enough."""
        end = time.monotonic() + patience_s
        while not enough(spans := self.spans):
            assert time.monotonic() < end, f"not enough spans: {spans}"
            time.sleep(0.05)
        return spans


def _span(span: Any) -> Span:
    return Span(
        span.name,
        span.kind,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.trace_state,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code == 2,
        _plain(span.attributes),
    )


def _plain(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@contextmanager
def running() -> Iterator[Collector]:
    collector = Collector("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the library's name
            body = self.rfile.read(int(self.headers["content-length"]))
            time.sleep(collector.slow_s)
            if self.path == "/v1/traces":
                collector.headers.append(dict(self.headers.items()))
                collector.bodies.append(body)
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
