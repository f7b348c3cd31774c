"""`GET /metrics`, as Prometheus asks for it: text or OpenMetrics by `Accept`, gzip by `Accept-Encoding`."""

from __future__ import annotations

from quart import Response, request
from quart_trio import QuartTrio

from lasso_trio.metrics.exporter import Exporter
from lasso_trio.server.content_coding import accepts_gzip
from lasso_trio.telemetry.prometheus import content_type


def serve(app: QuartTrio, exporter: Exporter) -> None:
    """Let `app` answer `/metrics`; call it for each listener that is to have it."""

    @app.get("/metrics")
    async def prometheus() -> Response:
        kind = content_type(request.headers.get("accept", ""))
        zipped = accepts_gzip(request.headers.get("accept-encoding", "").encode("latin-1"))
        response = Response(await exporter.page(kind, zipped=zipped), content_type=kind)
        response.headers["vary"] = "accept, accept-encoding"
        if zipped:
            response.headers["content-encoding"] = "gzip"
        return response
