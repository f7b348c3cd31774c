"""nginx in front, as many run it: whose call is it that the client limit counts?

Clients call from different loopback addresses; nginx calls the proxy from 127.0.0.1 and says for whom.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from tests.e2e import nginx, toolbox
from tests.e2e.caller import Caller
from tests.e2e.conftest import Serve
from tests.e2e.fleet import Fleet
from tests.e2e.full_bucket import BURST, LIMIT, in_time
from tests.e2e.history import History
from tests.e2e.lasso import Lasso

TRUSTING: Final = {"LASSO_TRUSTED_PROXIES": "127.0.0.1/32"}
ALICE: Final = "127.0.0.21"
BOB: Final = "127.0.0.22"
ASK: Final = b'{"jsonrpc":"2.0","id":1,"method":"eth_getBlockByNumber","params":["0x1",true]}'


@asynccontextmanager
async def front(lasso: Lasso, folder: Path) -> AsyncIterator[int]:
    """nginx before `lasso`; its port."""
    port = toolbox.free_port()
    with nginx.running(folder / "nginx", nginx.in_front_of(lasso.port, port), port):
        yield port


async def statuses(port: int, source: str, calls: int = 1, headers: bytes = b"") -> list[int]:
    """What `calls` calls from `source` are answered with."""
    caller = await Caller.connect(port, "/rpc/anvil", source)
    try:
        return [(await caller.call(ASK, headers)).status for _ in range(calls)]
    finally:
        caller.close()


@pytest.fixture
def urls(fleet: Fleet, history: History) -> dict[str, str]:
    return fleet.urls


async def test_a_call_through_nginx_is_answered_like_one_to_the_node(
    fleet: Fleet, urls: dict[str, str], serve: Serve, tmp_path: Path
) -> None:
    async with front(serve(urls), tmp_path) as port:
        caller = await Caller.connect(port, "/rpc/anvil")
        bodies = [(await caller.call(ASK)).body for _ in range(5)]
        caller.close()
    assert bodies == [fleet.first.ask(ASK)] * 5


async def test_behind_a_trusted_proxy_each_client_has_a_limit_of_its_own(
    urls: dict[str, str], serve: Serve, tmp_path: Path
) -> None:
    async with front(serve(urls, **LIMIT, env=TRUSTING), tmp_path) as port:
        assert await in_time(partial(statuses, port, ALICE, BURST + 3)) == [200] * BURST + [429] * 3
        assert await statuses(port, BOB) == [200]


async def test_behind_a_proxy_nobody_trusts_all_clients_share_its_limit(
    urls: dict[str, str], serve: Serve, tmp_path: Path
) -> None:
    async with front(serve(urls, **LIMIT), tmp_path) as port:

        async def both() -> list[int]:
            return await statuses(port, ALICE, BURST) + await statuses(port, BOB)

        assert await in_time(both) == [200] * BURST + [429]


async def test_a_client_cannot_have_its_calls_counted_to_somebody_else(
    urls: dict[str, str], serve: Serve, tmp_path: Path
) -> None:
    forged = b"X-Forwarded-For: 203.0.113.9\r\n"
    async with front(lasso := serve(urls, **LIMIT, env=TRUSTING), tmp_path) as port:

        async def claimed(at: int, source: str) -> list[int]:
            return await statuses(at, source, BURST, forged) + await statuses(at, source)

        assert await in_time(partial(claimed, port, ALICE)) == [200] * BURST + [429]  # nginx said who it was
        assert await in_time(partial(claimed, lasso.port, BOB)) == [200] * BURST + [429]  # and without nginx
