from __future__ import annotations

import gzip

import pytest
from quart_trio import QuartTrio

from lasso_trio.metrics.exporter import PIECE, Exporter
from lasso_trio.metrics.page import serve
from lasso_trio.telemetry.prometheus import OPENMETRICS, TEXT, Table, counter

CALLS = counter("lasso_calls_total", "", "Calls.")


def read(table: Table, now: float) -> tuple[()]:
    table.add(CALLS, 7)
    return ()


@pytest.fixture
def app() -> QuartTrio:
    app = QuartTrio("test", static_folder=None)
    serve(app, Exporter([read]))
    return app


@pytest.mark.parametrize(("accept", "kind"), [("*/*", TEXT), ("application/openmetrics-text", OPENMETRICS)])
async def test_the_format_is_the_clients_choice(app: QuartTrio, accept: str, kind: str) -> None:
    answer = await app.test_client().get("/metrics", headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert b"\nlasso_calls_total 7.0\n" in await answer.get_data(as_text=False)


async def test_gzip_is_for_those_who_take_it(app: QuartTrio) -> None:
    answer = await app.test_client().get("/metrics", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert b"\nlasso_calls_total 7.0\n" in gzip.decompress(await answer.get_data(as_text=False))
    plain = await app.test_client().get("/metrics", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers


async def test_a_large_page_arrives_whole() -> None:
    def many(table: Table, now: float) -> tuple[()]:
        for number in range(10_000):
            table.add(CALLS, number)
        return ()

    app, exporter = QuartTrio("test", static_folder=None), Exporter([many])
    serve(app, exporter)
    answer = await app.test_client().get("/metrics")
    body = await answer.get_data(as_text=False)
    assert len(body) > 2 * PIECE
    assert answer.headers["content-length"] == str(len(body))
    assert body.count(b"\nlasso_calls_total ") == 10_000
