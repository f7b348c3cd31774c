"""One HTTP request while it is served."""

from __future__ import annotations

from lasso_trio.routing.service import ANYTHING
from lasso_trio.server.exchange import Exchange
from lasso_trio.server.routes import Route


def test_an_exchange_joins_route_id_and_the_moment_it_began() -> None:
    route = Route("/rpc/eth", ANYTHING)
    exchange = Exchange(route, "id", 1.5)
    assert (exchange.route, exchange.request_id, exchange.started) == (route, "id", 1.5)


def test_two_exchanges_are_never_the_same() -> None:
    route = Route("/rpc/eth", ANYTHING)
    assert Exchange(route, "id", 1.5) != Exchange(route, "id", 1.5)
