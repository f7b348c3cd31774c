"""Calls over one open WebSocket, any number at a time, told apart by their ids: what a pool is to HTTP.

Routing uses both alike: `exchange` for a call, `call` for one in steps, and the same faults. The link knows no socket:
requests wait in an outbox, which `next_request` empties, and whoever reads the socket hands the answers to
`answered`. So a caller that is cancelled never cuts a message in two; it is forgotten, and its late answer is dropped.

`_asked` holds what was sent and not answered, abandoned calls too (None) until their answer came or too many came
after them: a late answer is then known for one, and an error without an id is only given to a call that is alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import Final

import attrs
import trio

from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.faults import Disconnected, PoolFull, UpstreamFault
from lasso_trio.upstream.reply import Reply
from lasso_trio.upstream.ws_call import Hear, WsCall
from lasso_trio.upstream.ws_message import sent_id

MOST_CALLS: Final = 1024
"""In flight at one time; beyond, calls are refused here rather than queued behind a provider that does not keep up."""
MOST_FORGOTTEN: Final = 4096


@attrs.define
class LinkCounters:
    """Since the link was opened. `late`: answers that nobody waits for (any more). `stray`: answers to nobody."""

    calls: int = 0
    answers: int = 0
    late: int = 0
    stray: int = 0
    complaints: int = 0
    """Errors without an id."""
    noise: int = 0


class WsLink:
    """`cut(reason)` is called when the link cannot be trusted any more: whoever owns the socket ends it."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        cut: Callable[[str], None] = lambda reason: None,
        clock: Callable[[], float] = trio.current_time,
    ) -> None:
        self.endpoint = endpoint
        self.clock = clock
        self.counters = LinkCounters()
        self.leaving = False
        """Its instance is gone from the configuration: who holds it may still call."""
        self._cut = cut
        self._asked: dict[int, WsCall | None] = {}
        self._outbox: deque[WsCall | bytes] = deque()
        self._waiting = 0
        self._news = trio.Event()
        self._lost: UpstreamFault | None = None

    def __repr__(self) -> str:
        return f"<WsLink {self.origin} {'lost' if self._lost else f'busy={self.busy}'}>"

    @property
    def origin(self) -> str:
        """`ws(s)://host:port`. Safe to print."""
        return f"ws{self.endpoint.origin.removeprefix('http')}"

    @property
    def busy(self) -> int:
        """Calls that somebody waits for."""
        return self._waiting

    @property
    def waiting(self) -> int:
        """Nobody queues for a link, as for a pool's connections."""
        return 0

    # For those who call…

    async def exchange(
        self, body: bytes, *, replay_safe: bool, gzip: bool = False, until: float = inf, lines: bytes = b""
    ) -> Reply:
        """Send `body` and wait for its answer, until the absolute time `until`. Raises an UpstreamFault.

        `replay_safe`, `gzip` and `lines` mean nothing here. Cancelled while waiting: the answer will be dropped.
        """
        return await WsCall(self, body).answer_by(until)

    async def ask(
        self, body: bytes, *, replay_safe: bool, gzip: bool, until: float, late: float, lines: bytes = b""
    ) -> Reply | WsCall:
        """`exchange`, but a call that is still under way at the absolute time `late` is given back as it is: the caller
        then owns it, and takes it up with `answer_by` or abandons it.
        """
        call = WsCall(self, body)
        if late >= until:
            return await call.answer_by(until)
        return await call.answer_till(late) or call

    def call(self, body: bytes, *, replay_safe: bool = True, gzip: bool = False, hear: Hear | None = None) -> WsCall:
        """The same in steps. `hear`: see there; also told when the call was abandoned meanwhile."""
        return WsCall(self, body, hear)

    def post(self, body: bytes) -> None:
        """Send `body` some time, if the session lasts. Nobody waits for its answer."""
        if self._lost is None:
            self._asked[sent_id(body)] = None
            self._tidy()
            self._outbox.append(body)
            self._news.set()

    def distrust(self, reply: Reply) -> None:
        """`reply` is not to what was asked: the socket's end."""
        self._cut("distrusted")

    # For those who keep house, as pools have it…

    def expire(self, now: float) -> None:
        """Nothing is kept that could be too old."""

    def wind_down(self) -> None:
        self.leaving = True

    async def aclose(self) -> None:
        """Calls in flight raise Disconnected("closed"). Idempotent."""
        self.lose(Disconnected("closed", "by us", local=True))
        await trio.lowlevel.checkpoint()

    # For a call…

    def submit(self, call: WsCall) -> None:
        if self._lost is not None:
            raise Disconnected("closed", "the session is over", dispatched=False, local=True).at(self.origin)
        if self._waiting >= MOST_CALLS:
            raise PoolFull("pool_full", f"{self._waiting} calls wait for an answer").at(self.origin)
        self.counters.calls += 1
        self._waiting += 1
        self._asked[call.id] = call
        self._outbox.append(call)
        self._news.set()

    def forget(self, call: WsCall) -> None:
        """It was given up: the answer, if there will be one, is nobody's."""
        self._waiting -= 1
        if not call.sent:
            self._asked.pop(call.id, None)
        elif call.heard_by is None:
            self._asked[call.id] = None
            self._tidy()

    def _tidy(self) -> None:
        """Answers that never came are given up, the oldest first."""
        if len(self._asked) - self._waiting > MOST_FORGOTTEN:
            oldest = next((id_ for id_, call in self._asked.items() if call is None or call.over), None)
            if oldest is not None:
                del self._asked[oldest]

    # For the session…

    def unsent(self) -> tuple[bytes, ...]:
        """What was posted and is still in the outbox."""
        return tuple(item for item in self._outbox if isinstance(item, bytes))

    async def next_request(self) -> bytes:
        """What is to be sent next. Its call counts as sent from here on. Cancelled: nothing is taken."""
        while True:
            while self._outbox:
                item = self._outbox.popleft()
                if isinstance(item, bytes):
                    return item
                if not item.over:
                    item.sent = True
                    return item.body
            self._news = trio.Event()
            await self._news.wait()

    def answered(self, id_: int, message: bytes) -> None:
        """An answer to request `id_` was read."""
        if id_ not in self._asked:
            self.counters.stray += 1
            return
        call = self._asked.pop(id_)
        if call is None or call.over:
            self.counters.late += 1
            if call is not None and call.heard_by is not None:
                call.heard_by(message)
            return
        self.counters.answers += 1
        self._waiting -= 1
        call.hear(message)

    def complained(self, message: bytes) -> None:
        """An error without an id was read: it is the only call's, if there is only one."""
        self.counters.complaints += 1
        if len(self._asked) == 1:
            (id_,) = self._asked
            self.answered(id_, message)

    def lose(self, fault: UpstreamFault) -> None:
        """The session is over: all calls fail, those that were not sent as not dispatched. Idempotent."""
        if self._lost is not None:
            return
        self._lost = fault.at(self.origin)
        calls = [call for call in self._asked.values() if call is not None]
        self._asked.clear()
        self._outbox.clear()
        self._waiting = 0
        for call in calls:
            call.lose(self._fault_of(call))

    def _fault_of(self, call: WsCall) -> UpstreamFault:
        """Each caller raises one of its own: a shared one would collect all their tracebacks."""
        lost = self._lost
        assert lost is not None
        return Disconnected(lost.reason, lost.detail, dispatched=call.sent, local=lost.local).at(self.origin)
