"""Which answers win a race: pure.

Some answers say less than they seem to. That a provider has no receipt may mean that there is none, or that it has not
seen the block yet; while another attempt is under way it is worth waiting for what that one says. A revert is a true
answer, and so is whatever else a call's own contents lead to.
"""

from __future__ import annotations

from typing import Final

from lasso_trio.jsonrpc.methods import Method
from lasso_trio.jsonrpc.reply import Reply

_NULL: Final = ord("n")
_EMPTIES: Final = {ord("["): 2, ord('"'): 4, ord("{"): 2}
"""By the first byte: how long `[]`, `"0x"` and `{}` are."""
_EMPTY_BEYOND_HEAD: Final = frozenset({"eth_getLogs", "eth_getBlockReceipts", "eth_call", "eth_getCode"})
"""Methods whose empty answer may only mean that the provider does not have the block yet."""


def is_weak(method: Method, reply: Reply, behind: bool) -> bool:
    """Whether it does not win as long as another attempt is alive. `behind`: its provider's head is below the tip."""
    if reply.error is not None:
        return False
    if reply.result_first == _NULL:
        return True
    return behind and method.name in _EMPTY_BEYOND_HEAD and reply.result_size == _EMPTIES.get(reply.result_first)
