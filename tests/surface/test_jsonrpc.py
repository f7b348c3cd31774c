"""The examples of the JSON-RPC 2.0 specification (section 7), and what the house adds for single requests."""

from __future__ import annotations

import pytest

from tests.surface.conftest import CHAIN_ID, Surface

INVALID = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "Invalid Request"}}
UNPARSED = {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "Parse error: Invalid JSON"}}


# Section 7 of https://www.jsonrpc.org/specification, with methods that the simulated providers serve


async def test_spec_positional_parameters(surface: Surface) -> None:
    first = await surface.post(
        "/rpc/devnet",
        b'{"jsonrpc": "2.0", "method": "eth_getBlockByNumber", "params": ["0x2a", false], "id": 1}',
    )
    second = await surface.post(
        "/rpc/devnet",
        b'{"jsonrpc": "2.0", "method": "eth_getBlockByNumber", "params": ["0x17", false], "id": 2}',
    )
    assert (first.json["id"], first.json["result"]["number"]) == (1, "0x2a")
    assert (second.json["id"], second.json["result"]["number"]) == (2, "0x17")


async def test_spec_named_parameters(surface: Surface) -> None:
    """Ethereum's methods have positional parameters only: an object is taken as the first of them."""
    one = b'{"jsonrpc": "2.0", "method": "eth_getLogs", "params": {"fromBlock": "0x1", "toBlock": "0x2"}, "id": 3}'
    two = b'{"jsonrpc": "2.0", "method": "eth_getLogs", "params": {"toBlock": "0x2", "fromBlock": "0x1"}, "id": 4}'
    first, second = await surface.post("/rpc/devnet", one), await surface.post("/rpc/devnet", two)
    assert (first.json["id"], second.json["id"]) == (3, 4)
    assert first.json["result"] == second.json["result"] != []


@pytest.mark.parametrize("more", [b', "params": []', b', "params": [1,2,3,4,5]', b""])
async def test_spec_a_notification_is_carried_out_and_not_answered(surface: Surface, more: bytes) -> None:
    answer = await surface.post("/rpc/priority/devnet", b'{"jsonrpc": "2.0", "method": "eth_blockNumber"%b}' % more)
    assert (answer.status, answer.body) == (204, b"")
    assert "content-length" not in answer
    assert surface.calls() == {"alpha": 1}


async def test_spec_call_of_a_non_existent_method(surface: Surface) -> None:
    answer = await surface.post("/rpc/devnet", b'{"jsonrpc": "2.0", "method": "foobar", "id": "1"}')
    assert (answer.status, answer.json["id"]) == (200, "1")
    assert answer.error["code"] == -32601


async def test_spec_call_with_invalid_json(surface: Surface) -> None:
    text = b'{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]'
    answer = await surface.post("/rpc/devnet", text)
    assert (answer.status, answer.json) == (400, UNPARSED)


async def test_spec_call_with_an_invalid_request_object(surface: Surface) -> None:
    answer = await surface.post("/rpc/devnet", b'{"jsonrpc": "2.0", "method": 1, "params": "bar"}')
    assert (answer.status, answer.json) == (200, INVALID)


async def test_spec_batch_with_invalid_json(surface: Surface) -> None:
    text = b'[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},{"jsonrpc": "2.0", "method"]'
    answer = await surface.post("/rpc/devnet", text)
    assert (answer.status, answer.json) == (400, UNPARSED)


async def test_spec_empty_array(surface: Surface) -> None:
    answer = await surface.post("/rpc/devnet", b"[]")
    assert answer.status == 200
    assert answer.body == b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Invalid Request"}}'


async def test_spec_invalid_batch_that_is_not_empty(surface: Surface) -> None:
    answer = await surface.post("/rpc/devnet", b"[1]")
    assert (answer.status, answer.json) == (200, [INVALID])


async def test_spec_invalid_batch(surface: Surface) -> None:
    answer = await surface.post("/rpc/devnet", b"[1,2,3]")
    assert (answer.status, answer.json) == (200, [INVALID, INVALID, INVALID])


async def test_spec_mixed_batch(surface: Surface) -> None:
    answer = await surface.post(
        "/rpc/devnet",
        b"""[
            {"jsonrpc": "2.0", "method": "eth_chainId", "params": [], "id": "1"},
            {"jsonrpc": "2.0", "method": "eth_gasPrice", "params": [7]},
            {"jsonrpc": "2.0", "method": "eth_getBlockByNumber", "params": ["0x2a", false], "id": "2"},
            {"foo": "boo"},
            {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
            {"jsonrpc": "2.0", "method": "net_version", "id": "9"}
        ]""",
    )
    one, two, three, four, five = answer.json
    assert one == {"jsonrpc": "2.0", "result": hex(CHAIN_ID), "id": "1"}
    assert (two["id"], two["result"]["number"]) == ("2", "0x2a")
    assert three == INVALID
    assert (four["id"], four["error"]["code"]) == ("5", -32601)
    assert five == {"jsonrpc": "2.0", "result": str(CHAIN_ID), "id": "9"}


async def test_spec_batch_of_notifications_only(surface: Surface) -> None:
    answer = await surface.post(
        "/rpc/devnet",
        b'[{"jsonrpc": "2.0", "method": "eth_blockNumber", "params": [1,2,4]}, {"jsonrpc": "2.0", "method": '
        b'"eth_blockNumber", "params": [7]}]',
    )
    assert (answer.status, answer.body) == (204, b"")
    assert sum(surface.calls().values()) == 2


# What the house adds


async def test_the_version_may_be_missing_over_http(surface: Surface) -> None:
    answer = await surface.post("/rpc/devnet", {"method": "eth_blockNumber", "id": 1})
    assert answer.json["result"] == "0x3e8"


@pytest.mark.parametrize("version", [b'"1.0"', b"2.0", b"2", b"null", b'""', b'["2.0"]'])
async def test_any_other_version_is_refused_with_the_clients_id(surface: Surface, version: bytes) -> None:
    answer = await surface.post("/rpc/devnet", b'{"jsonrpc":%b,"method":"eth_chainId","id":"x1"}' % version)
    assert (answer.status, answer.json["id"]) == (200, "x1")
    assert answer.error == {"code": -32600, "message": 'Invalid Request: jsonrpc must be "2.0"'}


@pytest.mark.parametrize("request_", [b"{}", b'"text"', b"1", b"null", b"true", b'{"id":null}', b'{"method":""}'])
async def test_what_is_no_request_is_invalid_and_has_id_null(surface: Surface, request_: bytes) -> None:
    answer = await surface.post("/rpc/devnet", request_)
    assert (answer.status, answer.json) == (200, INVALID)


async def test_an_invalid_request_is_answered_with_its_id_where_there_is_one(surface: Surface) -> None:
    answer = await surface.post("/rpc/devnet", b'{"jsonrpc":"2.0","method":null,"id":1.50}')
    assert answer.body == b'{"jsonrpc":"2.0","id":1.50,"error":{"code":-32600,"message":"Invalid Request"}}'


@pytest.mark.parametrize(
    "id_",
    [
        b"0", b"-1", b"1.0", b"1.50", b"1e5", b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809",
        b"18446744073709551616", b"123456789012345678901234567890", b'""', b'"abc"', b'"1"', b'"\\u0041"',
        b'"a\\"b\\\\"', b'"\xc3\xa9\xe2\x82\xac"', b"null",
    ],
)  # fmt: skip
async def test_an_id_comes_back_as_the_bytes_it_came_in(surface: Surface, id_: bytes) -> None:
    client = await surface.connect()
    for method, result in ((b"eth_blockNumber", b'"0x3e8"'), (b"eth_chainId", b'"0x7a69"')):
        text = b'{"jsonrpc":"2.0","method":"%b","params":[],"id":%b}' % (method, id_)
        answer = await client.request("POST", "/rpc/devnet", text)
        assert answer.status == 200
        assert answer.body == b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (id_, result)
    answer = await client.request("POST", "/rpc/devnet", b'{"method":"eth_accounts","id":%b}' % id_)
    assert b'"id":%b,' % id_ in answer.body


@pytest.mark.parametrize("id_", [b"{}", b"[]", b"[1]", b"true", b"false", b'{"a":1}'])
async def test_an_id_that_is_no_string_number_or_null_is_refused(surface: Surface, id_: bytes) -> None:
    answer = await surface.post("/rpc/devnet", b'{"jsonrpc":"2.0","method":"eth_chainId","id":%b}' % id_)
    assert (answer.status, answer.json["id"]) == (200, None)
    assert answer.error["code"] == -32602
    assert answer.error["message"] == "Invalid JSON-RPC request payload"
    assert "id" in answer.error["data"]["reason"]


@pytest.mark.parametrize(
    ("params", "sent"),
    [
        (None, []),
        (b"null", []),
        (b"[]", []),
        (b'{"a":1}', [{"a": 1}]),
        (b'"latest"', ["latest"]),
        (b"7", [7]),
        (b"[[1],{}]", [[1], {}]),
    ],
)
async def test_parameters_reach_the_provider_as_a_list(surface: Surface, params: bytes | None, sent: object) -> None:
    member = b"" if params is None else b',"params":%b' % params
    await surface.post("/rpc/priority/devnet", b'{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber"%b}' % member)
    assert surface.net.providers["alpha"].recent[-1].params == sent


async def test_other_members_of_a_request_are_none_of_our_business(surface: Surface) -> None:
    answer = await surface.post("/rpc/devnet", {"chain": "x", "id": 1, "method": "eth_chainId", "strategy": {}})
    assert answer.json["result"] == hex(CHAIN_ID)


async def test_the_chain_id_is_answered_here_in_lower_case_like_every_node_does(surface: Surface) -> None:
    answer = await surface.ask("eth_chainId", path="/rpc/profile/team/arbitrum-sepolia")
    assert answer.body == b'{"jsonrpc":"2.0","id":1,"result":"0x66eee"}'
    answer = await surface.ask("net_version", path="/rpc/profile/team/arbitrum-sepolia")
    assert answer.json["result"] == "421614"
    assert surface.calls("eth_chainId") == surface.calls("net_version") == {}


async def test_a_pinned_provider_is_asked_for_the_chain_id_itself(surface: Surface) -> None:
    answer = await surface.ask("eth_chainId", path="/rpc/devnet/beta")
    assert answer.json["result"] == hex(CHAIN_ID)
    assert surface.calls("eth_chainId") == {"beta": 1}


@pytest.mark.parametrize("path", ["/rpc/devnet", "/rpc/profile/team/fastest/devnet"])
@pytest.mark.parametrize("method", ["eth_subscribe", "eth_unsubscribe"])
async def test_subscriptions_over_http_are_sent_to_the_websocket_url(surface: Surface, path: str, method: str) -> None:
    answer = await surface.ask(method, "newHeads", path=path + "?include_meta=headers", id="s")
    assert (answer.status, answer.json["id"]) == (200, "s")
    assert answer.error == {
        "code": -32601,
        "message": "Method not supported over HTTP. Use WebSocket connection for subscriptions.",
        "data": {"websocket_url": f"/ws{path}"},
    }


async def test_a_subscription_sent_as_a_notification_is_not_answered_either(surface: Surface) -> None:
    answer = await surface.post("/rpc/devnet", {"jsonrpc": "2.0", "method": "eth_subscribe", "params": ["newHeads"]})
    assert (answer.status, answer.body) == (204, b"")


@pytest.mark.parametrize(
    "method", ["eth_sendTransaction", "personal_sign", "eth_sign", "eth_signTransaction", "eth_accounts"]
)
async def test_methods_that_need_keys_are_refused(surface: Surface, method: str) -> None:
    answer = await surface.ask(method)
    assert answer.status == 200
    assert answer.error == {"code": -32601, "message": "Method not supported by proxy"}
    assert surface.calls(method) == {}


@pytest.mark.parametrize("method", ["eth_coinbase", "eth_mining", "eth_hashrate", "eth_getWork", "eth_submitWork"])
async def test_methods_that_only_ones_own_node_could_serve_find_no_channel(surface: Surface, method: str) -> None:
    answer = await surface.ask(method)
    assert answer.error == {"code": -32000, "message": "No channels available"}


async def test_a_raw_transaction_is_forwarded_once(surface: Surface) -> None:
    answer = await surface.ask("eth_sendRawTransaction", "0x02f8")
    assert answer.json["result"].startswith("0x")
    assert sum(surface.calls("eth_sendRawTransaction").values()) == 1


async def test_the_upstream_never_sees_the_clients_id(surface: Surface) -> None:
    """Upstream ids are our own small integers: real nodes refuse ids beyond int64."""
    answer = await surface.ask("eth_blockNumber", id=2**70)
    assert answer.json == {"jsonrpc": "2.0", "id": 2**70, "result": "0x3e8"}
