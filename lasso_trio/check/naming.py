"""Whether `--profile` and `--chain` name something that anybody knows: the files here, or the node.

Who is known here and not there is the rows' business; a name that nobody knows is a command line that is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lasso_trio.check.bench import Bench, path_of
from lasso_trio.check.caller import Said
from lasso_trio.check.loading import FLOOD_METHOD
from lasso_trio.check.order import Order
from lasso_trio.config.profile import Profile
from lasso_trio.config.profile_set import ProfileSet, chain_index
from lasso_trio.jsonrpc.errors import INVALID_PARAMS

UNKNOWN_CHAIN: Final = f"{INVALID_PARAMS} Unsupported chain"
NO_CHAIN: Final = "0"
"""Asked for where only the profile is in question: no chain has it."""


def strange_here(order: Order, profiles: Mapping[str, Profile]) -> str:
    """What these profiles (at least one) do not know of the order's names; empty when they know all. Pure."""
    found = None if order.profile is None else ProfileSet(profiles).find(order.profile)
    if order.profile is not None and found is None:
        return _no_profile(order)
    among = profiles.values() if found is None else [found]
    if order.chain is None or any(order.chain in chain_index(profile) for profile in among):
        return ""
    return _no_chain(order)


async def strange_to_all(bench: Bench) -> str:
    """The same, of what the node does not know either, for one call at most. A call that it refuses for another reason,
    such as a key that is missing, shows nothing.
    """
    order, profiles = bench.order, bench.facts.setup.profiles
    if (order.profile, order.chain) == (None, None) or (profiles and not strange_here(order, profiles)):
        return ""
    path = path_of(order.profile, order.chain or NO_CHAIN)
    return strange_there(order, await bench.caller.call(bench.url + path, FLOOD_METHOD, []))


def strange_there(order: Order, said: Said) -> str:
    """What the node does not know, by its answer. Pure."""
    if order.profile is not None and said.status == 404:
        return _no_profile(order)
    if order.chain is not None and said.problem.startswith(UNKNOWN_CHAIN):
        return _no_chain(order)
    return ""


def _no_profile(order: Order) -> str:
    return f"--profile: nobody knows {order.profile!r}"


def _no_chain(order: Order) -> str:
    return f"--chain: nobody knows {order.chain!r}" + (f" in {order.profile}" if order.profile else "")
