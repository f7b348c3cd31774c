"""Which answers win a race: pure.

Some answers say less than they seem to. That a provider has no receipt may mean that there is none, or that it has not
seen the block yet; while another attempt is under way it is worth waiting for what that one says. A revert is a true
answer, and so is whatever else a call's own contents lead to.

How long a weak answer waits depends on who gave it: one whose provider stands at the chain's tip, for one more timer;
one whose provider is behind, for four of them, because what it does not have is likely to be there. Not for longer: who
is under way may have stalled.
"""

from __future__ import annotations

from typing import Final

from lasso_trio.jsonrpc.methods import Method
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.providers.head import Head
from lasso_trio.providers.heads import ChainHeads

_NULL: Final = ord("n")
_EMPTIES: Final = {ord("["): 2, ord('"'): 4, ord("{"): 2}
"""By the first byte: how long `[]`, `"0x"` and `{}` are."""
_EMPTY_BEYOND_HEAD: Final = frozenset({"eth_getLogs", "eth_getBlockReceipts", "eth_call", "eth_getCode"})
"""Methods whose empty answer may only mean that the provider does not have the block yet."""
_LEVEL: Final = 1
"""So far below the tip one is at it: credit comes in whole blocks, and every provider is asked at another moment."""
_TIMERS_BEHIND: Final = 4
"""So many timers are worth waiting where the provider is behind."""


def is_weak(method: Method, reply: Reply, behind: bool) -> bool:
    """Whether it does not win as long as another attempt is alive. `behind`: its provider's head is below the tip."""
    if reply.error is not None:
        return False
    if reply.result_first == _NULL:
        return True
    return behind and method.name in _EMPTY_BEYOND_HEAD and reply.result_size == _EMPTIES.get(reply.result_first)


def tip_of(heads: ChainHeads, now: float) -> int | None:
    """What a head is measured by. Of two providers that are far apart nobody is sure, and the higher is taken for it:
    all that comes of a wrong one here is a wait.
    """
    return heads.view(now).consensus or heads.tip


def is_behind(head: Head, heads: ChainHeads, now: float) -> bool:
    """Whether a provider with this `head` is two blocks or more below the chain's, also when it gets credit for those
    since it was asked last: between two polls everybody would be behind. False where nothing is known; stale heads get
    none.
    """
    height, tip = head.height, tip_of(heads, now)
    if height is None or tip is None or height >= tip - _LEVEL:
        return False
    return not head.fresh(now) or heads.optimistic(head, now, tip) < tip - _LEVEL


def patience_s(late_s: float, *, behind: bool) -> float:
    """For how many seconds a weak answer waits for a better one, where its provider is late after `late_s`."""
    return late_s * _TIMERS_BEHIND if behind else late_s


def worth_of(*, is_error: bool, behind: bool) -> int:
    """Of two weak ones the higher wins: any answer over an error that nobody knows, who is at the tip over others."""
    return 2 * (not is_error) + (not behind)
