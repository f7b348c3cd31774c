"""Filters stick to who made them: `eth_newFilter` and its like, and the calls that name a filter.

    create ─► execute (dispatched once) ─► the node's id, wrapped: it says which channel made it (`filter_ids`)
    follow ─► unwrap ─► that channel alone, with the node's own id ─► its answer as it came
                 └─ not ours, or its channel cannot be asked ─► what a node says of a filter that it does not have

A client that is told "filter not found" makes a new one, which goes to a provider that works: an open breaker, a
removed or a cordoned provider end a filter just as a node's restart does. A provider that lags keeps its filters.
"""

from __future__ import annotations

from random import Random
from typing import Final

import attrs
import msgspec
from msgspec import Raw

from lasso_trio.jsonrpc.errors import INVALID_PARAMS, SERVER_ERROR, RpcError
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.routing import filter_ids
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.execute import Call, execute
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.plan import build

_UNINSTALL: Final = "eth_uninstallFilter"
_KEEPS_ITS_FILTERS: Final = "lagging"
"""For this reason a provider is left out of plans, and asked for its filters nevertheless."""
_BEFORE: Final = b'{"jsonrpc":"2.0","id":'


class _Result(msgspec.Struct):
    result: Raw


_decode_result: Final = msgspec.json.Decoder(_Result).decode
_decode_params: Final = msgspec.json.Decoder(list[Raw]).decode
_decode_text: Final = msgspec.json.Decoder(str).decode


async def create_filter(call: Call, rng: Random) -> Outcome:
    """Carry out `call`, which makes a filter; the answer's id says by whom. Raises only Cancelled."""
    outcome = await execute(attrs.evolve(call, stream=False), rng)
    reply, maker = outcome.reply, outcome.candidate
    if reply is None or reply.error is not None or maker is None:
        return outcome
    upstream = bytes(_decode_result(reply.splice(b"0")).result)
    ours = filter_ids.wrap(_tag(call, maker), upstream)
    # Something that is no filter id goes out as it came: whatever it is, nobody can poll it.
    return outcome if ours is None else attrs.evolve(outcome, reply=_answer(b'"%b"' % ours.encode()))


async def follow_filter(call: Call, rng: Random) -> Outcome:
    """Carry out `call`, which names a filter, where that filter is. Raises only Cancelled."""
    try:
        named, *rest = _decode_params(call.params)
        found = filter_ids.read(_decode_text(named))
    except (msgspec.DecodeError, ValueError, RecursionError):
        return Outcome(error=RpcError(INVALID_PARAMS, "invalid argument 0: a filter id is expected"))
    keeper = None if found is None else _keeper(call, found.tag)
    if found is None or keeper is None:
        return _not_found(call)
    now = call.clock()
    plan = build(call.plan.strategy, [keeper], call.plan.excluded, call.method, call.plan.version, now)
    params = b"[%b]" % b",".join([found.upstream, *map(bytes, rest)])
    return await execute(attrs.evolve(call, plan=plan, params=params), rng)


def _keeper(call: Call, tag: str) -> Candidate | None:
    """Who has the filters with this tag; None if the call's plan does not let it be asked."""
    spared = {each.label for each in call.plan.excluded if each.reason == _KEEPS_ITS_FILTERS}
    able = [*call.plan.ranked, *(c for c in call.chain.candidates if c.label in spared)]
    return next((candidate for candidate in able if _tag(call, candidate) == tag), None)


def _tag(call: Call, candidate: Candidate) -> str:
    channel, chain = candidate.channel, call.chain
    return filter_ids.tag_of(chain.profile.slug, chain.chain.chain_id, channel.instance_id, channel.transport.value)


def _not_found(call: Call) -> Outcome:
    """As geth says it, which takes back an unknown filter with `false`."""
    if call.method.name == _UNINSTALL:
        return Outcome(reply=_answer(b"false"), reason="filter_lost")
    return Outcome(error=RpcError(SERVER_ERROR, "filter not found", category="filter_lost"), reason="filter_lost")


def _answer(result: bytes) -> Reply:
    return Reply(_BEFORE, b',"result":%b}' % result, None, len(result), result[0])
