"""How far back a provider's state goes, learned from refusals that name no number ("missing trie node").

It begins after the block that was asked for. Of state alone: such a node has its blocks and logs. Nothing is learned
where the call names its block by a tag or a hash, nor from proofs, whose window is shorter than the state's, nor from
traces, which are refused in the same words for reasons of their own. The number is the client's: of one that is young,
or not there yet, or whose age nobody knows, such a refusal says nothing about what is old.
"""

from __future__ import annotations

from typing import Final

from lasso_trio.routing.archival import ARCHIVAL, LOGS, read
from lasso_trio.routing.candidate import Candidate

STATE: Final = ARCHIVAL - LOGS - {"eth_getBlockByNumber"}
"""Methods that need a block's state."""
_TELLING: Final = frozenset(name for name in STATE if name.startswith("eth_")) - {"eth_getProof"}


def learn_depth(
    candidate: Candidate, method: str, params: bytes, now: float, *, consensus: int | None, threshold: int
) -> None:
    """`candidate` said of this call that it has no data so old. `consensus`: the chain's height, None where nobody
    knows it; what is more than `threshold` blocks below is old.
    """
    if method not in _TELLING:
        return
    need = read(method, params)
    if need.low is not None and need.archival(consensus, threshold):
        candidate.channel.learned.lacked_state(need.low, now)
