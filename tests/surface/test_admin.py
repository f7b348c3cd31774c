"""The admin API on a running node: there with a token, and a cordon is felt by the next call."""

from __future__ import annotations

import pytest

from lasso_trio.config.secret import Secret
from lasso_trio.config.settings import Settings
from lasso_trio.errors import ConfigError

from .conftest import Start, Surface

TOKEN = "a-long-enough-token"
OURS = {"authorization": f"Bearer {TOKEN}"}


async def test_without_a_token_there_is_no_such_path(surface: Surface) -> None:
    for method, path in (("GET", "/admin/providers"), ("POST", "/admin/reload")):
        assert (await surface.request(method, path, fields=OURS)).status == 404


async def test_a_cordoned_provider_gets_no_calls_until_it_is_back(start: Start) -> None:
    surface = await start(settings={"admin_token": Secret(TOKEN)})
    which = "/admin/providers/public/devnet/alpha"
    assert (await surface.request("POST", f"{which}/cordon", fields=OURS)).status == 200
    for _ in range(8):
        assert (await surface.ask("eth_blockNumber")).status == 200
    assert surface.calls() == {"beta": 8}
    pinned = await surface.ask("eth_blockNumber", path="/rpc/provider/alpha/devnet")
    assert "taken out of service by the operator" in pinned.error["message"]
    await surface.request("POST", f"{which}/uncordon", fields=OURS)
    assert (await surface.ask("eth_blockNumber", path="/rpc/provider/alpha/devnet")).json["result"] == "0x3e8"


async def test_a_reload_that_has_nothing_to_read_says_so(start: Start) -> None:
    surface = await start(settings={"admin_token": Secret(TOKEN)})
    answer = await surface.request("POST", "/admin/reload", fields=OURS)
    assert (answer.status, answer.json["accepted"], len(answer.json["problems"])) == (422, False, 1)


def test_a_token_that_can_be_guessed_is_none() -> None:
    assert Settings.from_env({}).admin_token is None
    given = Settings.from_env({"LASSO_ADMIN_TOKEN": TOKEN}).admin_token
    assert given is not None
    assert (given.reveal(), str(given)) == (TOKEN, "***")
    with pytest.raises(ConfigError, match="at least 16 characters, found 15"):
        Settings.from_env({"LASSO_ADMIN_TOKEN": "x" * 15})
