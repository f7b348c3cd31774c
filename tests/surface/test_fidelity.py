"""Answers arrive as the upstream spelt them: every byte but the id's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio

from tests.surface.conftest import Script, Start, reply

Replying = Callable[[bytes], Awaitable[str]]

ID = '"é"'.encode()
REQUEST = b'{"jsonrpc":"2.0","id":' + ID + b',"method":"eth_call","params":[]}'

ANSWERS = [
    b'{"jsonrpc":"2.0","id":@,"result":null}',
    b'{"jsonrpc":"2.0","id":@,"result":false}',
    b'{"jsonrpc":"2.0","id":@,"result":[]}',
    b'{"jsonrpc":"2.0","id":@,"result":"0x"}',
    b'{"jsonrpc":"2.0","id":@,"result":""}',
    b'{"result":1,"id":@,"jsonrpc":"2.0"}',
    b'{"id":@,"jsonrpc":"2.0","result":{"z":1,"a":2}}',
    b'{"jsonrpc":"2.0","result":{"id":1,"error":{"code":1}},"id":@}',
    b'{"jsonrpc":"2.0","id":@,"result":[1e3,1.0,-0,1E+2,0.10,123456789012345678901234567890]}',
    b'{"jsonrpc":"2.0","id":@,"result":{"b":1,"a":2,"b":3}}',
    b'{"jsonrpc":"2.0","id":@,"result":"\\u003c\\u00e9\\/\\ud83d\\ude00 \xc3\xa9\xf0\x9f\x98\x80"}',
    b'{"jsonrpc":"2.0","id":@,"result":"text with \\"error\\": and {\\"id\\":1,"}',
    b'{"jsonrpc":"2.0","id":@,"result":1,"extra":{"id":5},"another":[null]}',
    b'{"usage":{"credits":1.50},"jsonrpc":"2.0","id":@,"result":1}',
    b' {\r\n\t"jsonrpc" : "2.0" , "id" :\t@ ,\n "result" : { "a" : [ ] } }\r\n',
    b'{"jsonrpc":"2.0","id":@,"error":null,"result":7}',
    b'{"jsonrpc":"2.0","id":@,"error":{"code":3,"message":"execution reverted","data":"0x08c379a0"}}',
    b'{"jsonrpc":"2.0","id":@,"error":{"data":{"n":[1.0,{"x":1e-7}]},"message":"m\\u00e9","code":-32602,"more":1}}',
    b'{"error":{"code":3,"message":"revert"},"id":@,"jsonrpc":"2.0","trace":[0.0]}',
]


@pytest.mark.parametrize("text", ANSWERS)
async def test_every_byte_but_the_ids(start: Start, replying: Replying, text: bytes) -> None:
    surface = await start(upstreams={"odd": await replying(text)})
    answer = await surface.post("/rpc/devnet", REQUEST)
    assert answer.body == text.replace(b"@", ID)


@pytest.mark.parametrize("text", ANSWERS[:3])
async def test_in_a_batch_too(start: Start, replying: Replying, text: bytes) -> None:
    surface = await start(upstreams={"odd": await replying(text)})
    answer = await surface.post("/rpc/devnet", b"[%b,%b]" % (REQUEST, REQUEST))
    assert answer.body == b"[%b,%b]" % (text.replace(b"@", ID), text.replace(b"@", ID))


async def test_parameters_reach_the_upstream_as_they_were_spelt(
    start: Start, scripted: Callable[[Script], Awaitable[str]]
) -> None:
    seen: list[object] = []

    async def listen(id_: int, request: object, stream: trio.abc.Stream) -> None:
        seen.append(request)
        await stream.send_all(reply(b'{"jsonrpc":"2.0","id":%d,"result":1}' % id_))

    surface = await start(upstreams={"odd": await scripted(listen)})
    params = b'[{"to":"0x\\u0030","gas":1.0,"big":123456789012345678901234567890,"n":null},"\xc3\xa9",[]]'
    await surface.post("/rpc/devnet", b'{"jsonrpc":"2.0","id":2.5,"method":"eth_c\\u0061ll","params":%b}' % params)
    (request,) = seen
    assert isinstance(request, dict)
    assert set(request) == {"jsonrpc", "id", "method", "params"}
    assert isinstance(request["id"], int)
    assert request["method"] == "eth_call"
    assert request["params"] == [{"to": "0x0", "gas": 1.0, "big": 123456789012345678901234567890, "n": None}, "é", []]


@pytest.mark.parametrize("text", ANSWERS[:4])
async def test_metadata_in_the_body_leaves_the_rest_as_it_was(start: Start, replying: Replying, text: bytes) -> None:
    surface = await start(upstreams={"odd": await replying(text)})
    answer = await surface.post("/rpc/devnet?include_meta=body", REQUEST)
    assert answer.body.startswith(text.replace(b"@", ID)[:-1] + b',"lasso_meta":{')
    assert answer.body.endswith(b"}}")
