"""What goes by at all workers, for whoever looks at one: calls while somebody looks on anywhere, issues always.

viewers here? ── told as it changes ──► the others watch their calls too, and tell once a second what they saw
"""

from __future__ import annotations

from typing import Final, NoReturn

import attrs
import msgspec
import trio

from lasso_trio.dashboard.activity import Seen
from lasso_trio.dashboard.board import Board
from lasso_trio.dashboard.issues import Issue
from lasso_trio.workers.bus import Bus

LOOKS: Final = "sight.looks"
CALLS: Final = "sight.calls"
ISSUES: Final = "sight.issues"
EVERY_S: Final = 1.0

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_looks: Final = msgspec.msgpack.Decoder(bool).decode
_decode_calls: Final = msgspec.msgpack.Decoder(list[Seen]).decode
_decode_issues: Final = msgspec.msgpack.Decoder(list[Issue]).decode


@attrs.define(eq=False)
class SightShare:
    """Made before the bus runs. `_lookers`: workers at which somebody looks on."""

    bus: Bus
    board: Board
    _lookers: set[int] = attrs.field(factory=set)
    _looks: bool = False
    _calls: int = 0
    _issues: int = 0

    def __attrs_post_init__(self) -> None:
        self.bus.listen(LOOKS, self._hear_looks)
        self.bus.listen(CALLS, self._hear_calls)
        self.bus.listen(ISSUES, self._hear_issues)
        self.bus.on_join(lambda worker: self.bus.tell(LOOKS, _encode(self._looks), worker))
        self.bus.on_leave(self._lookers.discard)

    async def run(self) -> NoReturn:
        """Until cancelled."""
        while True:
            await trio.sleep(EVERY_S)
            self._look()
            self._tell_calls()
            self._tell_issues()

    def _look(self) -> None:
        """The taps are the dashboard's too: what it takes away while others still look is put back."""
        looks = self.board.viewers() > 0
        if looks is not self._looks:
            self._looks = looks
            self.bus.tell(LOOKS, _encode(looks))
        if self._lookers:
            self.board.activity.watch(self.board.doors)
        elif not looks:
            self.board.activity.leave()

    def _tell_calls(self) -> None:
        activity = self.board.activity
        seen, self._calls = activity.own_since(self._calls), activity.seen
        for worker in self._lookers if seen else ():
            self.bus.tell(CALLS, _encode(seen), worker)

    def _tell_issues(self) -> None:
        issues = self.board.issues
        logged, self._issues = issues.own_since(self._issues), issues.last_seq
        if logged:
            self.bus.tell(ISSUES, _encode(logged))

    def _hear_looks(self, sender: int, payload: bytes) -> None:
        (self._lookers.add if _decode_looks(payload) else self._lookers.discard)(sender)

    def _hear_calls(self, sender: int, payload: bytes) -> None:
        for seen in _decode_calls(payload):
            self.board.activity.adopt(seen, sender)

    def _hear_issues(self, sender: int, payload: bytes) -> None:
        for issue in _decode_issues(payload):
            self.board.issues.adopt(issue, sender)
