"""One HTTP request while it is served: what its answer, its metadata and its log line need to know."""

from __future__ import annotations

import attrs

from lasso_trio.server.routes import Route


@attrs.define(eq=False)
class Exchange:
    """`started`: trio's clock when the request was complete."""

    route: Route
    request_id: str
    started: float
