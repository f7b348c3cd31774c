"""What was found out as a provider's YAML, ready for a profile: the loader reads it, and nobody else's key is in it.

A URL or header that may hold a key is written as a variable, `${NAME_URL}`, with the masked URL beside it. What the
probe could not tell is left to the loader's defaults, and whatever the profile already says of priority and the like
stays with the profile.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final
from urllib.parse import urlsplit

from lasso_trio.config.secret import SecretUrl, mask_url
from lasso_trio.probe.finding import Finding
from lasso_trio.probe.methods import lacking
from lasso_trio.probe.target import Target

KNOWN_CHAINS: Final = {
    1: "ethereum",
    10: "optimism",
    56: "bsc",
    137: "polygon",
    8453: "base",
    42161: "arbitrum",
    11155111: "sepolia",
}
"""Keys for chains that no profile gave one."""
ARCHIVE_SLACK: Final = 1_000
"""State that begins this close to genesis is all of it: some chains have none in their first blocks."""


def propose(pairs: Sequence[tuple[Target, Finding]]) -> str:
    """One profile with every endpoint that answered, by chain; a comment when there is none."""
    usable = [(target, found) for target, found in pairs if found.chain_id is not None and not found.wrong_chain]
    head = [
        "# Proposed by `lasso probe`. Set the variables it names, if any, and move the providers into your profile."
    ]
    if not usable:
        return "\n".join([*head, "# No endpoint answered on the chain it should serve."]) + "\n"
    usable.sort(key=lambda pair: pair[1].chain_id or 0)
    lines = [*head, "chains:"]
    for chain_id, its in groupby(usable, key=lambda pair: pair[1].chain_id or 0):
        lines += _chain(chain_id, list(its))
    return "\n".join(lines) + "\n"


def _chain(chain_id: int, pairs: list[tuple[Target, Finding]]) -> Iterator[str]:
    key = next((target.chain for target, _ in pairs if target.chain), None)
    yield f"  {key or KNOWN_CHAINS.get(chain_id, f'chain-{chain_id}')}:"
    yield f"    chain_id: {chain_id}"
    yield "    providers:"
    taken: set[str] = set()
    for target, found in pairs:
        name = _unique(_identifier(target.name), taken)
        yield from _provider(name, target, found)


def _provider(name: str, target: Target, found: Finding) -> Iterator[str]:
    yield f'      - id: "{name}"'
    if target.url is not None:
        yield f"        url: {_url(target.url, name, 'URL')}"
    if target.ws_url is not None and found.websocket is not None and found.websocket.subscribed:
        yield f"        ws_url: {_url(target.ws_url, name, 'WS_URL')}"
    if target.headers:
        yield "        headers:"
        yield from (f'          {header}: "${{{_variable(name, header)}}}"' for header in target.headers)
    if found.archive is not None and found.archive.limit is not None:
        yield f"        archival: {'true' if keeps_all(found) else 'false'}"
    yield from _capabilities(found)


def keeps_all(found: Finding) -> bool:
    """Has the endpoint the state of (nearly) every block?"""
    if found.archive is None or found.archive.limit is None:
        return False
    head = found.head.number if found.head else 0
    return found.archive.open or (head > 2 * ARCHIVE_SLACK and head - found.archive.limit <= ARCHIVE_SLACK)


def _capabilities(found: Finding) -> Iterator[str]:
    categories, methods = lacking(found.methods)
    limit = found.log_range.limit if found.log_range and not found.log_range.open else None
    if not categories and not methods and limit is None:
        return
    yield "        capabilities:"
    if categories or methods:
        yield f"          unsupported_categories: [{', '.join(dict.fromkeys((*categories, 'local_only')))}]"
    if methods:
        yield f"          unsupported_methods: [{', '.join(methods)}]"
    if limit is not None:
        # A profile counts `toBlock - fromBlock`, which is one less than the blocks that are searched.
        yield f"          limits: {{max_block_range: {limit - 1}}}"


def _url(url: SecretUrl, name: str, suffix: str) -> str:
    text = url.reveal()
    if _is_bare(text):
        return f'"{text}"'
    return f'"${{{_variable(name, suffix)}}}"  # {mask_url(text)}'


def _is_bare(url: str) -> bool:
    """Scheme, host and port only: nothing in it can be a key."""
    parts = urlsplit(url)
    return parts.path in ("", "/") and not (parts.query or parts.username or parts.password or "$" in url)


def _variable(name: str, suffix: str) -> str:
    return re.sub(r"\W", "_", f"{name}_{suffix}", flags=re.ASCII).upper().lstrip("0123456789_") or suffix.upper()


def _identifier(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name)[:100].lstrip(".-") or "provider"


def _unique(name: str, taken: set[str]) -> str:
    candidates: Iterable[str] = (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3)))
    free = next(candidate for candidate in candidates if candidate not in taken)
    taken.add(free)
    return free
