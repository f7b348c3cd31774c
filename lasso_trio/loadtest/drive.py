"""Make the calls: `clients` tasks, each with a call at a time, all taking what is due next from one line.

At a rate, a call's latency counts from when it was due and not from when a client was free for it, so a target that
stalls cannot hide that by slowing us down (coordinated omission). Cancelled: calls in flight are given up uncounted,
and the tally holds what was done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from itertools import cycle

import trio

from lasso_trio.loadtest.order import Order
from lasso_trio.loadtest.outcome import Asked, outcome_of
from lasso_trio.loadtest.tally import Tally
from lasso_trio.upstream.alarm import Alarm
from lasso_trio.upstream.faults import Expired, UpstreamFault
from lasso_trio.upstream.http1 import Pool

Tell = Callable[[int], object]
"""Told how many calls were done since it was told last."""


async def drive(order: Order, tally: Tally, tell: Tell, pool: Pool | None = None) -> None:
    """Fill `tally`. Never raises for what the target does."""
    alarm = Alarm()
    pool = pool or Pool(order.endpoint, alarm=alarm, max_connections=order.clients, idle_expiry_s=5.0)
    began, cpu = trio.current_time(), time.process_time()
    try:
        async with aclosing(pool), trio.open_nursery() as nursery:
            nursery.start_soon(alarm.run)
            async with trio.open_nursery() as clients:
                line, questions = _due(order, began), cycle(zip(order.bodies, order.asked, strict=True))
                for _ in range(min(order.clients, order.calls)):
                    clients.start_soon(_client, order, pool, line, questions, tally, tell)
            nursery.cancel_scope.cancel()
    finally:
        tally.seconds, tally.cpu_s = trio.current_time() - began, time.process_time() - cpu


def _due(order: Order, began: float) -> Iterator[float]:
    """When each call is due; without a rate, at once."""
    for number in range(order.calls):
        due = trio.current_time() if order.rate is None else began + number / order.rate
        if order.duration_s is not None and due >= began + order.duration_s:
            return
        yield due


async def _client(
    order: Order, pool: Pool, line: Iterator[float], questions: Iterator[tuple[bytes, Asked]], tally: Tally, tell: Tell
) -> None:
    for due in line:
        await trio.sleep_until(due)
        tally.late_s = max(tally.late_s, trio.current_time() - due)
        outcome = await _ask(pool, *next(questions), trio.current_time() + order.timeout_s)
        tally.add(outcome, trio.current_time() - due)
        tell(1)


async def _ask(pool: Pool, body: bytes, asked: Asked, until: float) -> str:
    try:
        reply = await pool.exchange(body, replay_safe=False, until=until)
        whole = [reply.body]
        if reply.rest is not None:
            async with aclosing(reply.rest) as rest:
                with trio.fail_at(until):
                    whole += [piece async for piece in rest]
    except (Expired, trio.TooSlowError):
        return "timeout"
    except UpstreamFault as fault:
        return f"{type(fault).__name__} {fault.reason}"
    return outcome_of(reply.status, b"".join(whole), asked)
