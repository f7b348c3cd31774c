"""`GET /metrics`, as Prometheus asks for it: text or OpenMetrics by `Accept`, gzip by `Accept-Encoding`.

The page is sent in pieces: megabytes in one would be copied in one, while every call waits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from quart import Response, request
from quart_trio import QuartTrio

from lasso_trio.metrics.exporter import Exporter
from lasso_trio.server.content_coding import accepts_gzip
from lasso_trio.telemetry.prometheus import content_type

PIECE: Final = 65_536


def serve(app: QuartTrio, exporter: Exporter) -> None:
    """Let `app` answer `/metrics`; call it for each listener that is to have it."""

    @app.get("/metrics")
    async def prometheus() -> Response:
        kind = content_type(request.headers.get("accept", ""))
        zipped = accepts_gzip(request.headers.get("accept-encoding", "").encode("latin-1"))
        body = await exporter.page(kind, zipped=zipped)
        response = Response(_pieces(body), content_type=kind)
        response.headers["content-length"] = str(len(body))
        response.headers["vary"] = "accept, accept-encoding"
        if zipped:
            response.headers["content-encoding"] = "gzip"
        return response


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), PIECE):
        yield body[start : start + PIECE]
