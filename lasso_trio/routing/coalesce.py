"""Equal reads in flight share one upstream call.

    first ──► leads: carries the call out ─┬─► answer or error ──► its own, and that of all who follow
    equal ──► follows: waits               ├─► cancelled ────────► the follower that waits longest leads: at once, anew
                 │                         ├─► out of time ──────► the same: followers have more of it
                 └─ own deadline: timeout  └─► a large result ───► followers make calls of their own

Equal are calls of one chain of one profile with the same text of parameters and the same wishes, while the same head
is known: nobody gets an answer that was asked for before a head that was known when it came. What is shared are the
reply's bytes; each call has its own id, deadline and outcome. A result that passes through is not held for anybody.

A call that nobody follows pays for its key and for one entry in a dictionary. Only replay-safe calls may come here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from random import Random

import attrs
import trio

from lasso_trio.jsonrpc.errors import reply_too_large, request_timeout
from lasso_trio.routing.execute import SHORTEST_ATTEMPT_S, Call
from lasso_trio.routing.outcome import Outcome
from lasso_trio.upstream.faults import TooLarge

Act = Callable[[Call, Random], Awaitable[Outcome]]
Key = tuple[Hashable, ...]


@attrs.define(eq=False)
class Flight:
    """One upstream call. `waiting`: its followers, None while there are none. `outcome`: once it is over."""

    waiting: trio.lowlevel.ParkingLot | None = None
    outcome: Outcome | None = None


@attrs.define(eq=False)
class Flights:
    """Those of one profile's chain. `followed`: calls that did not lead. `handed_over`: leaders that were replaced."""

    followed: int = 0
    handed_over: int = 0
    _by_key: dict[Key, Flight] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return len(self._by_key)

    def find(self, key: Key) -> Flight | None:
        return self._by_key.get(key)

    def begin(self, key: Key) -> Flight:
        flight = self._by_key[key] = Flight()
        return flight

    def end(self, key: Key, flight: Flight, outcome: Outcome) -> None:
        """It is over for all."""
        del self._by_key[key]
        if flight.waiting is not None:
            flight.outcome = outcome
            flight.waiting.unpark_all()

    def hand_over(self, key: Key, flight: Flight) -> None:
        """Its leader is gone: the next one leads. It stays in place for that one, and for those that come meanwhile."""
        if flight.waiting:
            self.handed_over += 1
            flight.waiting.unpark()
        else:
            del self._by_key[key]


def key_of(call: Call, wishes: Key = (), params: bytes | None = None) -> Key:
    """What makes calls equal. `params`: their canonical text, where there is one; else the text as it came.

    `wishes`: whatever else of the call's wishes decides over its answer (transport, pin, session and what it was
    shown, floor). It costs a call less than reading its parameters would.
    """
    heads = call.chain.heads
    highest = heads.view(call.started).highest
    return (call.method.name, call.params if params is None else params, call.plan.strategy, highest, heads.rollbacks,
            wishes)  # fmt: skip


async def coalesced(call: Call, rng: Random, act: Act, flights: Flights, key: Key) -> Outcome:
    """Carry out `call`, a replay-safe one, by `act`, or share the answer of one that is equal by `key`.

    Raises only Cancelled; a leader's cancellation costs its followers nothing but the time that it had used.
    """
    flight = flights.find(key)
    if flight is None:
        return await _lead(call, rng, act, flights, key, flights.begin(key))
    flights.followed += 1
    if flight.waiting is None:
        flight.waiting = trio.lowlevel.ParkingLot()
    with trio.move_on_at(call.deadline) as patience:
        await flight.waiting.park()
    if patience.cancelled_caught:
        return Outcome(error=request_timeout(), reason="coalesced", cache="coalesced")
    # No checkpoint from the wake-up to here: whoever is woken to lead does lead, or hands over in turn.
    shared = flight.outcome
    if shared is None:
        return await _lead(call, rng, act, flights, key, flight)
    return await act(call, rng) if shared.large is not None else _share(call, shared)


async def _lead(call: Call, rng: Random, act: Act, flights: Flights, key: Key, flight: Flight) -> Outcome:
    try:
        outcome = await act(call, rng)
    except BaseException:
        flights.hand_over(key, flight)
        raise
    if flight.waiting and _ran_out_of_time(call, outcome):
        flights.hand_over(key, flight)
    else:
        flights.end(key, flight, outcome)
    return outcome


def _ran_out_of_time(call: Call, outcome: Outcome) -> bool:
    """Lost because of this call's own deadline, which says nothing about the others'."""
    if not outcome.failed or (outcome.verdict is not None and not outcome.verdict.retriable):
        return False
    return call.clock() >= call.deadline - SHORTEST_ATTEMPT_S


def _share(call: Call, shared: Outcome) -> Outcome:
    """An outcome of one's own with the same answer in it; no attempt and no retry was this call's."""
    reply, error = shared.reply, shared.error
    if reply is not None and call.room is not None:
        try:
            call.room.take(len(reply.before) + len(reply.after))
        except TooLarge:
            reply, error = None, reply_too_large()
    waited = call.clock() - call.started
    return Outcome(
        reply, None, error, shared.verdict, shared.candidate, "coalesced", upstream_s=waited, cache="coalesced"
    )
