"""JSON-RPC as clients write it: the decoder, and every reader of parameters that a decoded call may come to."""

from __future__ import annotations

from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.jsonrpc.request import Invalid, Request, decode
from lasso_trio.routing import archival, cache_question, filter_ids, log_filter, raw_transaction, shown_block
from lasso_trio.routing.canonical import canonical
from lasso_trio.server.ws_unary import asks_for_meta
from lasso_trio.subscriptions import wanted
from tests.fuzz.surface import Finding, Surface

_CALL = b'{"jsonrpc":"2.0","id":1,"method":"%b","params":%b}'
_FILTER = b'{"fromBlock":"0x1","toBlock":"0x2","address":["0x%b"],"topics":[null,["0x%b"]]}' % (b"a" * 40, b"b" * 64)
SEEDS = (
    _CALL % (b"eth_blockNumber", b"[]"),
    _CALL % (b"eth_getBalance", b'["0x%b","latest"]' % (b"a" * 40)),
    _CALL % (b"eth_getBlockByNumber", b'["0x10",false]'),
    _CALL % (b"eth_getLogs", b"[%b]" % _FILTER),
    _CALL % (b"eth_getLogs", b'[{"blockHash":"0x%b"}]' % (b"c" * 64)),
    _CALL % (b"eth_call", b'[{"to":"0x%b","data":"0x"},{"blockHash":"0x%b"}]' % (b"a" * 40, b"b" * 64)),
    _CALL % (b"eth_sendRawTransaction", b'["0x02f87101%b"]' % (b"12" * 60)),
    _CALL % (b"eth_getFilterChanges", b'["0xabc0123456789"]'),
    _CALL % (b"eth_subscribe", b'["logs",%b]' % _FILTER),
    _CALL % (b"eth_subscribe", b'["newHeads"]'),
    _CALL % (b"trace_block", b'["safe"]'),
    b'[{"jsonrpc":"2.0","id":"a","method":"eth_chainId"},{"jsonrpc":"2.0","method":"eth_gasPrice","params":null}]',
    b'{"jsonrpc":"2.0","id":null,"method":"eth_gasPrice","params":{"a":1},"lasso_meta":"notify"}',
)
TOKENS = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"null", b"true", b'"\\u0000"', b'"\\ud800"', b"\xed\xa0\x80", b" "),
    *(b'"id":', b'"method":', b'"params":', b'"jsonrpc":"2.0"', b'"latest"', b'"pending"', b'"earliest"', b'"0x0"'),
    *(b'"blockHash":', b'"fromBlock":', b'"toBlock":', b'"address":', b'"topics":', b'"0xffffffffffffffffff"'),
    *(b"[" * 600, b'{"a":' * 600, b'"eth_newFilter"', b'"eth_getProof"', b'"logs"', b'"0x' + b"00" * 40 + b'"'),
)


def feed(data: bytes) -> str:
    try:
        decoded = decode(data, 50)
    except RpcError as error:
        error.encode()
        return f"refused {error.code}"
    asks_for_meta(data)
    items = decoded if isinstance(decoded, list) else [decoded]
    return " ".join(sorted({_item(item) for item in items})) if len(items) < 4 else "batch"


def _item(item: Request | Invalid) -> str:
    if isinstance(item, Invalid):
        return f"invalid {item.error.code}"
    method, params = item.method, item.params
    if not params.startswith(b"["):
        raise Finding(f"params {params[:40]!r} are no array")
    if method.name in archival.BLOCK_BOUND:
        archival.read(method.name, params)
    cache_question.read(method.name, params)
    canonical(method, params)
    shown_block.is_tip(method.name, params)
    raw_transaction.hash_in(params)
    filter_ids.read(params.decode())
    query = log_filter.read(params, lambda _: 1_000)
    return f"{method.row} {_query(query)} {_subscription(params)}"


def _query(query: log_filter.LogQuery | None) -> str:
    if query is None:
        return "-"
    query.encode()
    return "query"


def _subscription(params: bytes) -> str:
    try:
        return wanted.read(params).key
    except RpcError as error:
        return str(error.code)


JSON_RPC = Surface("json-rpc", SEEDS, TOKENS, feed)
