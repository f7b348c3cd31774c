"""Names that appear in URLs: profile slugs, chain keys and aliases, provider ids.

They travel unescaped in paths, headers and log fields, so their alphabet is small; and a chain must not be called like
a fixed segment of `/rpc/...`, because that route would win.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import attrs

from lasso_trio.config.profile import STRATEGY_NAMES
from lasso_trio.config.report import Report

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_ROUTE_WORDS: Final = frozenset({"provider", "profile", "k", *STRATEGY_NAMES})


def check_name(what: str, name: str, line: int, report: Report) -> None:
    if not _NAME.fullmatch(name):
        report.add(line, f"{what} {name!r} must consist of letters, digits, '.', '_' and '-', and not begin with '.'")


def check_chain_name(what: str, name: str, line: int, report: Report) -> None:
    check_name(what, name, line, report)
    if name in _ROUTE_WORDS:
        report.add(line, f"{what} {name!r} is a word of the routes (/rpc/{name}/…) and cannot name a chain")


@attrs.frozen
class ChainNames:
    """What one chain answers to: its key and aliases, each with the line it stands on."""

    key: str
    chain_id: int | None
    id_line: int
    names: tuple[tuple[str, int], ...]


def check_collisions(chains: Iterable[ChainNames], report: Report) -> None:
    """No two chains share an id or a name, and no name is another chain's decimal id."""
    chains = tuple(chains)
    key_of_id = _check_ids(chains, report)
    owners: dict[str, str] = {}
    for chain in chains:
        for name, line in chain.names:
            if name in owners:
                report.add(line, _repeated(name, owners[name], chain.key))
            elif key_of_id.get(name, chain.key) != chain.key:
                other = key_of_id[name]
                report.add(line, f"{name!r} is the chain id of {other!r} (chain_alias_collides_with_chain_id)")
            owners.setdefault(name, chain.key)


def _check_ids(chains: Iterable[ChainNames], report: Report) -> dict[str, str]:
    key_of_id: dict[str, str] = {}
    for chain in chains:
        if chain.chain_id is None:
            continue
        if str(chain.chain_id) in key_of_id:
            other = key_of_id[str(chain.chain_id)]
            report.add(chain.id_line, f"duplicate chain_id {chain.chain_id}: {other!r} has it already")
        key_of_id.setdefault(str(chain.chain_id), chain.key)
    return key_of_id


def _repeated(name: str, owner: str, chain: str) -> str:
    return f"duplicate alias {name!r}: " + ("this chain" if owner == chain else repr(owner)) + " is called that already"
