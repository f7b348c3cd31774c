"""Signs of life: pings, and every time limit of every WebSocket client, kept by one task for all of them.

Each client is pinged `ping_s` after its last ping, so that they are spread as their connects were. Whatever came in
between counts as an answer. A client that we do not read, or that has not taken what we wrote, cannot answer: the
first misses nothing, the second has its own limit.

`look` decides and acts on one session, with the clock passed in; the task only walks round, in slices.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import Final

import trio

from lasso_trio.server.ws_limits import WsCounters, WsLimits
from lasso_trio.server.ws_session import Session, Words
from lasso_trio.subscriptions.frames import ping_frame

PERIOD: Final = 1.0
"""Seconds between two rounds: limits are kept to within this."""
SLICE: Final = 1_000

PING: Final = ping_frame(b"lasso")
NO_PONG: Final[Words] = (1002, "Heartbeat timeout - no pong responses")
IDLE: Final[Words] = (1001, "idle: no call and no subscription for a long time")
GONE: Final[Words] = (1008, "what this socket was opened for is configured no more")
NOT_ANY_MORE: Final[Words] = (1008, "the key or token of this socket is not good any more")
SLOW_MESSAGE: Final[Words] = (1008, "a message took too long to arrive")


def look(session: Session, now: float, limits: WsLimits, counters: WsCounters) -> None:
    """Ping it, end it, or leave it alone."""
    if not session.dialogue.has_route:
        session.drain(GONE)  # subscriptions would go on with providers that are to be used no more
    elif not session.dialogue.is_welcome:
        session.drain(NOT_ANY_MORE)
    if session.sender.stuck_s(now) > limits.write_s:
        counters.write_timeouts += 1
        session.sever()
    if session.words is not None or not session.is_read:
        return
    if now - session.stream.message_since > limits.message_s:
        counters.message_timeouts += 1
        session.close(SLOW_MESSAGE)
    elif not session.in_flight and not len(session.subscriptions) and now - session.spoken_at > limits.idle_s:
        counters.idle_timeouts += 1
        session.close(IDLE)
    elif now - session.pinged_at >= limits.ping_s:
        _beat(session, now, limits, counters)


def _beat(session: Session, now: float, limits: WsLimits, counters: WsCounters) -> None:
    heard = session.stream.heard_at >= session.pinged_at
    session.missed = 0 if heard else session.missed + 1
    if session.missed >= limits.misses:
        counters.heartbeat_timeouts += 1
        session.close(NO_PONG)
        return
    session.pinged_at = now
    session.sender.push(PING)


async def keep_beating(sessions: Collection[Session], limits: WsLimits, counters: WsCounters) -> None:
    """Look at every session about once a second until cancelled."""
    while True:
        await trio.sleep(PERIOD)
        everyone = iter(list(sessions))  # a copy: clients come and go while others run
        while batch := list(islice(everyone, SLICE)):
            now = trio.current_time()
            for session in batch:
                look(session, now, limits, counters)
            await trio.lowlevel.checkpoint()
