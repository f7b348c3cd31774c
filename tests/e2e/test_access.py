"""Keys as real clients show them: web3.py and viem, in headers, in the path, over WebSockets."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from web3 import HTTPProvider, Web3

from tests.e2e import devnet
from tests.e2e import lasso as proxies
from tests.e2e.anvil import CHAIN_ID
from tests.e2e.lasso import Lasso
from tests.e2e.test_viem import RUN_S, command, environment

HEIGHT: Final = 1000


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A key, and its entry, as `lasso key new` prints them."""
    made = subprocess.run(
        [sys.executable, "-m", "lasso_trio", "key", "new", "--id", "wallet", "--rps", "1000"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = [line.strip() for line in made.splitlines()]
    return {
        "key": next(line for line in lines if line.startswith("lasso_")),
        "hash": next(line.removeprefix("hash: ") for line in lines if line.startswith("hash: ")),
    }


@pytest.fixture(scope="module")
def closed(key: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lasso]:
    """A proxy whose profile asks for that key, and lets it call everything but `eth_gasPrice`."""
    entry = {"id": "wallet", "hash": key["hash"], "rps": 1000, "methods": {"deny": ["eth_gasPrice"]}}
    folder = tmp_path_factory.mktemp("closed") / "lasso"
    with (
        devnet.running(HEIGHT, {"alpha": 1000, "beta": 1000}) as providers,
        proxies.running(folder, providers, profile={"auth": {"keys": [entry]}}) as lasso,
    ):
        yield lasso
    assert key["key"].encode() not in lasso.log  # of which the last lines come when it ends
    assert b'"client":"wallet"' in lasso.log.replace(b" ", b"")


def keyed(lasso: Lasso, key: str) -> str:
    return lasso.url.replace("/rpc/", f"/rpc/k/{key}/")


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def web3(url: str, session: requests.Session, **headers: str) -> Web3:
    kwargs = {"headers": {"content-type": "application/json", **headers}}
    return Web3(HTTPProvider(url, request_kwargs=kwargs, session=session, exception_retry_configuration=None))


def test_web3py_is_let_in_with_a_key_in_a_header_or_in_the_path(
    closed: Lasso, key: dict[str, str], session: requests.Session
) -> None:
    for headers in ({"x-lasso-api-key": key["key"]}, {"authorization": f"Bearer {key['key']}"}):
        assert web3(closed.url, session, **headers).eth.block_number == HEIGHT
    assert web3(keyed(closed, key["key"]), session).eth.chain_id == CHAIN_ID


def test_web3py_without_a_key_is_refused(closed: Lasso, session: requests.Session) -> None:
    with pytest.raises(requests.HTTPError) as refused:
        _ = web3(closed.url, session).eth.block_number
    assert refused.value.response.status_code == 401
    assert refused.value.response.json()["error"]["data"] == {"reason": "missing"}


def test_a_removed_key_stops_working_when_the_profile_is_changed_and_the_connection_stays(
    key: dict[str, str], tmp_path: Path, session: requests.Session
) -> None:
    entry = {"id": "wallet", "hash": key["hash"]}
    with (
        devnet.running(HEIGHT, {"alpha": 1000}) as providers,
        proxies.running(tmp_path / "lasso", providers, profile={"auth": {"keys": [entry]}}) as lasso,
    ):
        client = web3(keyed(lasso, key["key"]), session)
        assert client.eth.block_number == HEIGHT
        path = tmp_path / "lasso" / "profiles" / "public.yml"
        path.write_text(path.read_text().replace(json.dumps([entry]), "[]"))
        with pytest.raises(requests.HTTPError, match="401"):
            _call_until_refused(client)


def _call_until_refused(client: Web3) -> None:
    for _ in range(10_000):
        assert client.eth.block_number == HEIGHT


def test_viem_is_let_in_on_every_way_and_told_why_it_is_not(closed: Lasso, key: dict[str, str]) -> None:
    socket = closed.ws_url.replace("/rpc/", f"/rpc/k/{key['key']}/")
    task = {"url": closed.url, "keyed": keyed(closed, key["key"]), "keyedSocket": socket, "key": key["key"]}
    done = subprocess.run(
        command("keys.mjs", task), env=environment(), capture_output=True, text=True, timeout=RUN_S, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, Any] = {line["step"]: line["value"] for line in map(json.loads, done.stdout.splitlines())}
    assert [told[way] for way in ("header", "bearer", "path", "socket")] == [f"{HEIGHT}n"] * 4
    assert told["batch"] == [f"{HEIGHT}n", CHAIN_ID]
    for step, words in (
        ("without", "Unauthorized: a key or token is needed"),
        ("forbidden", "eth_gasPrice is not allow"),
    ):
        assert told[step][0]["code"] == -32016
        assert words in told[step][0]["details"]
