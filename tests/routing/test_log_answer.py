from __future__ import annotations

import pytest

from lasso_trio.jsonrpc.reply import Reply, check
from lasso_trio.routing.log_answer import BadLogs, answer, read_part
from lasso_trio.routing.log_filter import LogQuery

ONE = b'{"logIndex":"0x1", "blockNumber":"0x2","blockHash":"0xA","data":1.50,"z":null}'
TWO = b'{"blockNumber":"0x1","logIndex":"0x0","blockHash":"0xB"}'


def reply(result: bytes) -> Reply:
    return check(b'{"jsonrpc":"2.0","id":1,"result":%b}' % result, 1)


def test_logs_keep_their_own_bytes_and_get_an_order() -> None:
    part = read_part(LogQuery(1, 2), reply(b"[%b,%b]" % (ONE, TWO)))
    assert [(log.block, log.index, log.hash, log.text) for log in part.logs] == [(1, 0, "0xB", TWO), (2, 1, "0xA", ONE)]
    assert answer(part.logs).splice(b'"me"') == b'{"jsonrpc":"2.0","id":"me","result":[%b,%b]}' % (TWO, ONE)
    assert answer([]).splice(b"7") == b'{"jsonrpc":"2.0","id":7,"result":[]}'


@pytest.mark.parametrize(
    "result", [b"null", b"{}", b"[1]", b"[{}]", TWO.join([b"[", b"]"]).replace(b"0x1", b"two"), b"[%b]" % ONE]
)
def test_what_is_no_list_of_logs_of_that_block_is_refused(result: bytes) -> None:
    with pytest.raises(BadLogs):
        read_part(LogQuery(1, 1), reply(result))
