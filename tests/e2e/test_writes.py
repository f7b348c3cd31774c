"""Signed transactions through the proxy to nodes that share nothing: nobody gossips, so each node's pool tells what
the proxy sent it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest
from eth_typing import HexStr
from web3 import HTTPProvider, Web3

from tests.e2e.anvil import Anvil
from tests.e2e.conftest import Lived, Serve
from tests.e2e.history import OWNER, call_data, signed
from tests.e2e.lasso import Lasso

SEND = "eth_sendRawTransaction"
Front = Callable[[Callable[[bytes], bytes | None]], str]


@pytest.fixture
def front() -> Iterator[Front]:
    """Puts something before a node: `front(answer)` is the URL of a server that calls `answer` with each request's
    body, and hangs up without a word where that returns None.
    """
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Callable[[bytes], bytes | None]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told = answer(self.rfile.read(int(self.headers["content-length"])))
                if told is not None:
                    self.send_response(200)
                    self.send_header("content-type", "application/json")
                    self.end_headers()
                    self.wfile.write(told)

            def log_message(self, *_: object) -> None:
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        Thread(target=servers[-1].serve_forever, args=(0.01,), daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def payment(lived: Lived, note: str) -> HexStr:
    nonce = int(lived.fleet.first.call("eth_getTransactionCount", OWNER.address, "latest"), 16)
    return signed(nonce, call_data("pay", note), lived.history.till)


def hash_of(raw: HexStr) -> HexStr:
    return Web3.to_hex(Web3.keccak(hexstr=raw))


def send(lasso: Lasso, raw: HexStr) -> Any:
    ask = {"jsonrpc": "2.0", "id": 1, "method": SEND, "params": [raw]}
    return json.loads(lasso.ask(json.dumps(ask), lasso.path("priority")))


def pool(node: Anvil) -> list[str]:
    by_sender = node.call("txpool_content")["pending"].values()
    return [each["hash"] for by_nonce in by_sender for each in by_nonce.values()]


def reach(nodes: list[Anvil], hash_: str) -> None:
    """The answer comes with the first acceptance; the others' follow."""
    end = monotonic() + 30
    while not all(pool(node) == [hash_] for node in nodes):
        assert monotonic() < end, {node.name: pool(node) for node in nodes}
        sleep(0.01)


@pytest.mark.parametrize("width", [1, 2, 3])
def test_a_transaction_is_accepted_once_by_as_many_nodes_as_the_profile_says(
    fresh: Lived, serve: Serve, width: int
) -> None:
    lasso, nodes = serve(fresh.fleet.urls, chain={"routing": {"broadcast": width}}), fresh.fleet.nodes
    raw = payment(fresh, "once each")
    assert send(lasso, raw)["result"] == hash_of(raw)
    reach(nodes[:width], hash_of(raw))
    assert [pool(node) for node in nodes[width:]] == [[]] * (3 - width)


def test_sending_it_again_gives_its_hash_before_and_after_it_is_mined(fresh: Lived, serve: Serve) -> None:
    lasso, fleet = serve(fresh.fleet.urls, chain={"routing": {"broadcast": 3}}), fresh.fleet
    raw = payment(fresh, "again")
    told = send(lasso, raw)
    reach(fleet.nodes, told["result"])
    assert send(lasso, raw) == told == {"jsonrpc": "2.0", "id": 1, "result": hash_of(raw)}
    fleet.mine()
    assert send(lasso, raw) == told
    assert [pool(node) for node in fleet.nodes] == [[]] * 3
    receipts = [node.call("eth_getTransactionReceipt", told["result"]) for node in fleet.nodes]
    assert [receipt["status"] for receipt in receipts] == ["0x1"] * 3


def test_web3py_sends_and_sends_again(fresh: Lived, serve: Serve) -> None:
    lasso = serve(fresh.fleet.urls)
    raw = payment(fresh, "web3.py")
    w3 = Web3(HTTPProvider(lasso.url, exception_retry_configuration=None))
    assert [Web3.to_hex(w3.eth.send_raw_transaction(raw)) for _ in range(2)] == [hash_of(raw)] * 2


def test_another_transaction_of_a_used_nonce_is_told_so(fresh: Lived, serve: Serve) -> None:
    lasso, fleet = serve(fresh.fleet.urls), fresh.fleet
    used = signed(0, call_data("pay", "not this one"), fresh.history.till)
    assert "nonce too low" in send(lasso, used)["error"]["message"]
    assert [pool(node) for node in fleet.nodes] == [[]] * 3


@pytest.mark.parametrize("width", [1, 2])
def test_a_node_that_is_killed_after_accepting_makes_no_error(
    fresh: Lived, serve: Serve, front: Front, width: int
) -> None:
    first, *others = fresh.fleet.nodes
    accepted: list[bytes] = []

    def take_it_to_the_grave(body: bytes) -> bytes | None:
        answer = first.ask(body)
        if SEND.encode() not in body:
            return answer
        accepted.append(answer)
        first.kill()
        return None

    urls = fresh.fleet.urls | {first.name: front(take_it_to_the_grave)}
    lasso = serve(urls, chain={"routing": {"broadcast": width}})
    raw = payment(fresh, "to the grave")
    assert send(lasso, raw)["result"] == hash_of(raw)
    reach(others[:width], hash_of(raw))
    assert [json.loads(answer)["result"] for answer in accepted] == [hash_of(raw)]


def test_what_was_accepted_without_a_word_is_found(fresh: Lived, serve: Serve, front: Front) -> None:
    node = fresh.fleet.first

    def swallow(body: bytes) -> bytes | None:
        answer = node.ask(body)
        return None if SEND.encode() in body else answer

    lasso = serve({"only": front(swallow)})
    raw = payment(fresh, "without a word")
    assert send(lasso, raw)["result"] == hash_of(raw)
    assert pool(node) == [hash_of(raw)]


def test_what_nobody_answered_for_and_nobody_has_is_indeterminate(fresh: Lived, serve: Serve, front: Front) -> None:
    node = fresh.fleet.first
    lasso = serve({"only": front(lambda body: None if SEND.encode() in body else node.ask(body))})
    raw = payment(fresh, "nowhere")
    error = send(lasso, raw)["error"]
    assert "indeterminate" in error["message"]
    assert error["data"] == {"transaction_hash": hash_of(raw)}
