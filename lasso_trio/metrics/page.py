"""`GET /metrics`, as Prometheus asks for it: text or OpenMetrics by `Accept`, gzip by `Accept-Encoding`.

The page is sent in the pieces that it was made in: megabytes in one would be copied in one, while every call waits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from quart import Response, request
from quart_trio import QuartTrio

from lasso_trio.metrics.exporter import Exporter, NoPage, Page
from lasso_trio.server.content_coding import accepts_gzip
from lasso_trio.telemetry.prometheus import content_type


def serve(app: QuartTrio, exporter: Exporter) -> None:
    """Let `app` answer `/metrics`; call it for each listener that is to have it."""

    @app.get("/metrics")
    async def prometheus() -> Response:
        kind = content_type(request.headers.get("accept", ""))
        zipped = accepts_gzip(request.headers.get("accept-encoding", "").encode("latin-1"))
        try:
            page = await exporter.page(kind, zipped=zipped)
        except NoPage as fault:
            return Response(f"{fault}\n", 503, content_type="text/plain; charset=utf-8")
        response = Response(_pieces(page), content_type=kind)
        response.headers["content-length"] = str(page.size)
        response.headers["vary"] = "accept, accept-encoding"
        if zipped:
            response.headers["content-encoding"] = "gzip"
        return response


async def _pieces(page: Page) -> AsyncIterator[bytes]:
    for piece in page.pieces:
        yield piece
