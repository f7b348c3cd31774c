"""Whether the parts of an `eth_getLogs` that several providers told are of one history, where that is not final yet.

A seam says so only if somebody logged something in its block. Each log names its block, and a block its ancestors: the
newest log that a provider told is held against the one that told the newest part, and if that knows the same block at
this height, all that the two told fits. One cheap read for each provider beside the first, all at once, none where one
told all, or where nothing is above the finalized block. The logs are there by then: a read that takes long is given up.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

import attrs
import msgspec
import trio

from lasso_trio.jsonrpc.methods import Method, known
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.execute import Call, execute
from lasso_trio.routing.plan import build
from lasso_trio.routing.split import Log, Part, SeamConflict

YOUNG_BLOCKS: Final = 128
"""So many below the head are not final where nobody tells what is."""
LONGEST_LOOK_S: Final = 1.0
SHARE_OF_LEFT: Final = 0.2
"""A look takes no more of the time that the call has left: a query that is done must not wait for one that hangs."""

Told = tuple[Part, Candidate | None]


def _block_method() -> Method:
    method = known("eth_getBlockByNumber")
    assert method is not None
    return method


_BLOCK: Final = _block_method()


class _Block(msgspec.Struct):
    hash: str


class _Envelope(msgspec.Struct):
    result: _Block | None


_decode: Final = msgspec.json.Decoder(_Envelope).decode


def anchor_of(found: Sequence[Told]) -> Candidate | None:
    """Who told the newest part."""
    return max(found, key=lambda told: told[0].query.last)[1]


def doubts(found: Sequence[Told], anchor: Candidate, settled: int) -> list[Log]:
    """The newest log above `settled` of each other provider, except where `anchor` told one of that block too."""
    newest: dict[str, Log] = {}
    shared = set[int]()
    for part, who in found:
        last = part.logs[-1] if part.logs else None
        if who is None or last is None or last.block <= settled:
            continue
        instance = who.channel.instance_id
        if instance == anchor.channel.instance_id:
            shared.update(log.block for log in part.logs)
        elif instance not in newest or newest[instance].block < last.block:
            newest[instance] = last
    return [log for log in newest.values() if log.block not in shared]


async def conflict_in(call: Call, rng: Random, found: Sequence[Told], anchor: Candidate) -> SeamConflict | None:
    """About a block that `anchor` knows another one for; None if there is none, or if it does not say in time."""
    settled = _settled(call)
    if settled is None or not (logs := doubts(found, anchor, settled)):
        return None
    straying, deadline = list[int](), _look_until(call.clock(), call.deadline)
    async with trio.open_nursery() as nursery:
        for log in logs:
            nursery.start_soon(_look, call, rng, anchor, log, deadline, straying)
    return SeamConflict(min(straying), since=settled + 1) if straying else None


def _look_until(now: float, deadline: float) -> float:
    return min(deadline, now + min(LONGEST_LOOK_S, SHARE_OF_LEFT * (deadline - now)))


async def _look(call: Call, rng: Random, anchor: Candidate, log: Log, deadline: float, straying: list[int]) -> None:
    """Whether `anchor` knows another block there than `log` is of: then it is one of the `straying`."""
    known_hash = await _hash_at(call, rng, anchor, log.block, deadline)
    if known_hash is not None and known_hash.lower() != log.hash.lower():
        straying.append(log.block)


def _settled(call: Call) -> int | None:
    """Up to where there is one history. None: nobody knows where the chain is."""
    now = call.clock()
    finalized, consensus = call.chain.height_of("finalized", now), call.chain.heads.view(now).consensus
    if finalized is not None or consensus is None:
        return finalized
    return consensus - YOUNG_BLOCKS


async def _hash_at(call: Call, rng: Random, who: Candidate, block: int, deadline: float) -> str | None:
    now, plan = call.clock(), call.plan
    alone = build(plan.strategy, [who], (), _BLOCK, plan.version, now)
    params = b'["0x%x",false]' % block
    asking = attrs.evolve(
        call, method=_BLOCK, params=params, plan=alone, deadline=deadline, stream=False, room=None, watch=None,
    )  # fmt: skip
    outcome = await execute(asking, rng)
    return None if outcome.failed or outcome.reply is None else _hash_in(outcome.reply)


def _hash_in(reply: Reply) -> str | None:
    try:
        found = _decode(reply.splice(b"0")).result
    except (msgspec.DecodeError, RecursionError):
        return None
    return None if found is None else found.hash
