"""What happened between two views of the chain: the new heads, the new logs, and the logs that were reorganised away.

Both subscriptions (pushed) and `eth_newFilter` filters (polled) are a view remembered and a question asked again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from lasso_trio.devnet.blocks import Block
from lasso_trio.devnet.chain import View
from lasso_trio.devnet.json_types import JsonObject
from lasso_trio.devnet.logs import LogFilter

MOST_BLOCKS: Final = 1024
"""A watcher that was left behind further than this gets the newest blocks only."""


@attrs.define
class Watch:
    """Remembers what was told so far. `wanted` None watches heads, otherwise logs."""

    seen: View
    wanted: LogFilter | None = None

    def news(self, view: View) -> Iterator[JsonObject]:
        """Headers, or logs (first, with `removed: true`, those of orphaned blocks). A head falling back is no news."""
        first = view.parts_from(self.seen)
        if first > view.head:
            return
        old, self.seen = self.seen, view
        if self.wanted is not None and old.chain_id == view.chain_id:
            yield from self._removed(self.wanted, old, first)
        for block in _blocks(view, first):
            yield from [block.header] if self.wanted is None else filter(self.wanted.matches, block.logs())

    def _removed(self, wanted: LogFilter, old: View, first: int) -> Iterator[JsonObject]:
        for block in reversed(list(_blocks(old, first))):
            yield from ({**log, "removed": True} for log in block.logs() if wanted.matches(log))


def _blocks(view: View, first: int) -> Iterator[Block]:
    for number in range(max(first, view.head - MOST_BLOCKS + 1), view.head + 1):
        block = view.block(number)
        if block is not None:
            yield block
