"""What the streams have in common that nobody can prove complete: live while a feed is, and a client is told why not.

A mempool and a syncing state are every node's own: there is nothing to fill, so without a feed there is nothing. Where
no provider takes the subscription, a client is told so; where they are merely gone, it waits for one.
"""

from __future__ import annotations

from typing import Final

import attrs
import trio

from lasso_trio.subscriptions.feed_set import OpenFeed
from lasso_trio.subscriptions.stream import Stream
from lasso_trio.subscriptions.wanted import Wanted

NOBODY: Final = "no provider with a WebSocket offers it"


@attrs.define(eq=False)
class PlainStream(Stream):
    """`live` is set while a provider feeds it, and while it is known that none will."""

    wanted: Wanted = attrs.field(kw_only=True)

    def __attrs_post_init__(self) -> None:
        self.feeds = self._feeds_of(self.wanted.params)

    async def run(self) -> None:
        if not self.around.sources():
            self._nobody(NOBODY)
        await self.feeds.run()

    def _nobody(self, text: str) -> None:
        self.failure = text
        self.live.set()

    def _changed(self, feed: OpenFeed) -> None:
        if self.feeds.live:
            self.failure = None
            self.live.set()
        elif self.feeds.refusal is not None:
            self._nobody(self.feeds.refusal.text)
        elif not self.around.sources():
            self._nobody(NOBODY)
        elif self.live.is_set():  # who comes now waits for a feed, as the first one did
            self.failure, self.live = None, trio.Event()
