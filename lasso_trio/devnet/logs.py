"""Log filters as nodes mean them: `address` one or many, `topics` by position, null for all, lists for "any of"."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from lasso_trio.devnet import params as read
from lasso_trio.devnet.chain import View
from lasso_trio.devnet.errors import INVALID_PARAMS, SERVER_ERROR, NodeError, invalid
from lasso_trio.devnet.json_types import Json, JsonObject

Position = frozenset[str] | None
"""The topics that match at one position; None matches all."""


@attrs.frozen
class LogFilter:
    """Which logs are wanted, wherever they are. `addresses` None means all."""

    addresses: frozenset[str] | None = None
    topics: tuple[Position, ...] = ()

    @classmethod
    def read(cls, value: Json, position: int = 0) -> LogFilter:
        """From a filter object; members about blocks are ignored here. Raises `NodeError` on bad members."""
        if not isinstance(value, dict):
            raise invalid(position, "a filter object is expected")
        return cls(_addresses(value.get("address"), position), _topics(value.get("topics"), position))

    def matches(self, log: JsonObject) -> bool:
        if self.addresses is not None and log["address"] not in self.addresses:
            return False
        topics = log["topics"]
        if len(self.topics) > len(topics):
            return False
        return all(wanted is None or topic in wanted for wanted, topic in zip(self.topics, topics, strict=False))

    def search(self, view: View, first: int, last: int) -> Iterator[JsonObject]:
        """Matching logs of the blocks first … last (those above the head are silently not there)."""
        for number in range(max(0, first), min(last, view.head) + 1):
            block = view.block(number)
            if block is not None:
                yield from filter(self.matches, block.logs())


def get_logs(view: View, query: Json, max_range: int) -> list[JsonObject]:
    """`eth_getLogs`. Raises `NodeError` for unknown hashes and for mixed, reversed or too wide ranges."""
    wanted = LogFilter.read(query)
    first, last = _range(view, query)
    if last - first >= max_range:
        raise NodeError(INVALID_PARAMS, f"query exceeds max block range {max_range}")
    return list(wanted.search(view, first, last))


def _range(view: View, query: JsonObject) -> tuple[int, int]:
    if query.get("blockHash") is not None:
        if query.get("fromBlock") is not None or query.get("toBlock") is not None:
            text = "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other"
            raise NodeError(INVALID_PARAMS, text)
        block = view.block_by_hash(read.data_of(query["blockHash"], 0, 32))
        if block is None:
            raise NodeError(SERVER_ERROR, "unknown block")
        return block.number, block.number
    first = read.block_number(view, query.get("fromBlock") or "latest", 0)
    last = read.block_number(view, query.get("toBlock") or "latest", 0)
    if first > last and query.get("toBlock") not in (None, "latest", "pending"):
        raise NodeError(INVALID_PARAMS, "invalid block range params")
    return first, last


def _addresses(value: Json, position: int) -> frozenset[str] | None:
    if value is None or value == []:
        return None
    listed = value if isinstance(value, list) else [value]
    return frozenset(read.data_of(item, position, 20) for item in listed)


def _topics(value: Json, position: int) -> tuple[Position, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > 4:
        raise invalid(position, "topics must be a list of at most four")
    return tuple(_topic(item, position) for item in value)


def _topic(value: Json, position: int) -> Position:
    """A null inside an "any of" list makes the whole position a wildcard, as geth has it; so does an empty list."""
    listed = value if isinstance(value, list) else [value]
    if not listed or None in listed:
        return None
    return frozenset(read.data_of(item, position, 32) for item in listed)
