"""Filters stick to who made them: `eth_newFilter` and its like, and the calls that name a filter.

    create ─► over HTTP where there is HTTP ─► execute (dispatched once) ─► the node's id, wrapped: it says who made it
    follow ─► unwrap ─► that instance alone, with the node's own id ─► its answer as it came
                 └─ not ours, or nobody can ask it ─► what a node says of a filter that it does not have

A client that is told "filter not found" makes a new one, which goes to a provider that works: an open breaker, a
removed or a cordoned provider end a filter just as a node's restart does. A provider that lags keeps its filters.
Sockets come and go, and one worker of a node has them all, so no filter is made over one that could be made without.
"""

from __future__ import annotations

from random import Random
from typing import Final

import attrs
import msgspec
from msgspec import Raw

from lasso_trio.config.profile import Transport
from lasso_trio.jsonrpc.errors import INVALID_PARAMS, SERVER_ERROR, RpcError
from lasso_trio.jsonrpc.methods import Method
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.routing import filter_ids
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.execute import Call, execute
from lasso_trio.routing.filters import Exclusion
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.plan import Plan, build
from lasso_trio.routing.routed_chain import RoutedChain

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
    plan = makers(call.chain, call.method, call.plan, call.clock())
    outcome = await execute(attrs.evolve(call, plan=plan, stream=False), rng)
    reply, maker = outcome.reply, outcome.candidate
    if reply is None or reply.error is not None or maker is None:
        return outcome
    upstream = bytes(_decode_result(reply.splice(b"0")).result)
    ours = filter_ids.wrap(_tag(call.chain, maker), upstream)
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


def makers(chain: RoutedChain, method: Method, plan: Plan, now: float) -> Plan:
    """`plan` without the sockets of those that can be asked over HTTP; as it is if only sockets are left."""
    spoken = {c.channel.instance_id for c in chain.candidates if c.transport is Transport.HTTP}
    kept = [c for c in plan.ranked if c.transport is Transport.HTTP or c.channel.instance_id not in spoken]
    if not kept or len(kept) == len(plan.ranked):
        return plan
    left_out = [Exclusion(c.label, "over_http") for c in plan.ranked if c not in kept]
    order = chain.override(method).providers
    return build(plan.strategy, kept, [*plan.excluded, *left_out], method, plan.version, now, plan.valid_until, order)


def _keeper(call: Call, tag: str) -> Candidate | None:
    """Who has the filters with this tag, over HTTP if that can be; None if the call's plan does not let it be asked."""
    spared = {each.label for each in call.plan.excluded if each.reason == _KEEPS_ITS_FILTERS}
    able = [*call.plan.ranked, *(c for c in call.chain.candidates if c.label in spared)]
    named = [c for c in able if tag in (_tag(call.chain, c), *_former_tags(call.chain, c))]
    return min(named, key=lambda c: c.transport is not Transport.HTTP, default=None)


def _tag(chain: RoutedChain, candidate: Candidate) -> str:
    return filter_ids.tag_of(chain.profile.slug, chain.chain.chain_id, candidate.channel.instance_id)


def _former_tags(chain: RoutedChain, candidate: Candidate) -> list[str]:
    """A node's filters are the same over all its transports, so an id of before leads to the node."""
    slug, chain_id, instance = chain.profile.slug, chain.chain.chain_id, candidate.channel.instance_id
    return [filter_ids.former_tag_of(slug, chain_id, instance, transport.value) for transport in Transport]


def _not_found(call: Call) -> Outcome:
    """As geth says it, which takes back an unknown filter with `false`."""
    if call.method.name == _UNINSTALL:
        return Outcome(reply=_answer(b"false"), reason="filter_lost")
    return Outcome(error=RpcError(SERVER_ERROR, "filter not found", category="filter_lost"), reason="filter_lost")


def _answer(result: bytes) -> Reply:
    return Reply(_BEFORE, b',"result":%b}' % result, None, len(result), result[0])
