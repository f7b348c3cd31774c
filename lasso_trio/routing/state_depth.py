"""How far back a provider's state goes, learned from refusals that name no number ("missing trie node").

It begins after the block that was asked for. Of state alone: such a node has its blocks and logs. Nothing is learned
where the call names its block by a tag or a hash, nor from proofs, whose window is shorter than the state's.
"""

from __future__ import annotations

from typing import Final

from lasso_trio.routing.archival import ARCHIVAL, LOGS, read
from lasso_trio.routing.candidate import Candidate

STATE: Final = ARCHIVAL - LOGS - {"eth_getBlockByNumber"}
"""Methods that need a block's state."""
_TELLING: Final = STATE - {"eth_getProof"}


def learn_depth(candidate: Candidate, method: str, params: bytes, now: float) -> None:
    """`candidate` said of this call that it has no data so old."""
    if method in _TELLING and (oldest := read(method, params).low) is not None:
        candidate.channel.learned.lacked_state(oldest, now)
