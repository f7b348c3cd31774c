"""Large crowds are served slice by slice: ten thousand writes in a row would hold up every call for 100 ms.

One task for all streams. Rounds are served in the order they were added; between two slices everybody else gets their
turn. Memory is bounded: when too many rounds wait, the oldest is finished on the spot, at the publisher's expense.
How long each round took, from its publication to its last member, is kept: the fan-out's lag.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol, final

import trio

from lasso_trio.providers.latency import LogHistogram

SLICE: Final = 50
"""Members served without a pause: about half a millisecond."""
MOST_ROUNDS: Final = 64


class Round(Protocol):
    """One event on its way to a crowd."""

    def serve(self, most: int) -> bool:
        """Serve up to `most` more members. Returns whether that was all of them."""


@final
class Slices:
    """`run` it once, supervised; `add` rounds at any time. Rounds that were added wait while it does not run."""

    def __init__(self) -> None:
        self.lags = LogHistogram()
        """Seconds from publication to the last member, since the start; of rounds that were served in slices."""
        self._rounds: deque[tuple[Round, float]] = deque()
        self._some = trio.Event()

    def __len__(self) -> int:
        return len(self._rounds)

    def add(self, round_: Round) -> None:
        while len(self._rounds) >= MOST_ROUNDS:
            oldest, since = self._rounds.popleft()
            while not oldest.serve(SLICE):
                pass
            self.lags.add(trio.current_time() - since)
        self._rounds.append((round_, trio.current_time()))
        self._some.set()

    async def run(self) -> None:
        """Serve until cancelled; what was not served by then stays for the next run."""
        while True:
            while self._rounds:
                # Taken out only when done: a round that raises goes on behind the member that it failed at.
                round_, since = self._rounds[0]
                if round_.serve(SLICE):
                    self._rounds.popleft()
                    self.lags.add(trio.current_time() - since)
                await trio.lowlevel.checkpoint()
            self._some = trio.Event()
            await self._some.wait()
