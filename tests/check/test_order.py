from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lasso_trio.check.order import Order
from lasso_trio.check.row import Need
from lasso_trio.errors import ConfigError


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"url": "localhost:4000"}, "--url must be"),
        ({"ops_url": "ftp://a"}, "--ops-url must be"),
        ({"public_url": "https://a?b=c"}, "--public-url must be"),
        ({"url": "http://me:pw@a"}, "--url must hold no user name"),
        ({"regions": ("http://a", "http://me:pw@b")}, "--region must hold no user name"),
        ({"regions": ("http://a:port",)}, "--region must be"),
        ({"only": ("E99",)}, "no check 'E99'"),
        ({"skip": ("X",)}, "no check 'X'"),
        ({"only": ("E1",), "skip": ("E1",)}, "no check is left"),
        ({"log": "/nowhere"}, "no file /nowhere"),
        ({"runbook": Path("/nowhere")}, "--runbook"),
        ({"headers": ("nothing",)}, "Name: value"),
        ({"headers": ("X: é",)}, "--header cannot be sent"),
        ({"timeout": float("nan")}, "--timeout"),
        ({"profile": ""}, "must name something"),
        ({"chain": ""}, "must name something"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        Order(**options)


def test_rows_say_what_must_be_gathered() -> None:
    assert Order(only=("E1",)).wants == {Need.GIT, Need.NODE}
    assert set(Need) == Order().wants


def test_addresses_lose_their_last_slash_and_headers_become_pairs() -> None:
    order = Order(url="http://n/", regions=("http://r/",), headers=("Authorization: Bearer a:b",), log="-")
    assert (order.url, order.regions) == ("http://n", ("http://r",))
    assert order.header_pairs == {"authorization": "Bearer a:b"}
    assert "Bearer" not in repr(order)
