"""Equal reads in flight share one upstream call.

    first ──► leads: carries the call out ─┬─► answer or error ──► its own, and that of all who follow
    equal ──► follows: waits               ├─► cancelled ────────► the follower that waits longest leads: at once, anew
                 │                         ├─► out of time or room ► the same: followers have their own
                 └─ own deadline: timeout  └─► a large result ───► followers make calls of their own

Equal are calls of one chain of one profile with the same text of parameters and the same wishes, while the same head
is known and nothing was written: nobody gets an answer that was asked for before a head, or before the end of a write,
that was there when it came. What is shared are the reply's bytes; each call has its own id, deadline and outcome. A
result that passes through is not held for anybody.

A call that nobody follows pays for its key and for one entry in a dictionary. Only replay-safe calls may come here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from random import Random
from typing import Final

import attrs
import trio

from lasso_trio.jsonrpc.errors import RpcError, reply_too_large, request_timeout
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.routing.call import FAIR_SHARE, SHORTEST_ATTEMPT_S, Call
from lasso_trio.routing.outcome import Outcome
from lasso_trio.upstream.faults import TooLarge

Act = Callable[[Call, Random], Awaitable[Outcome]]
Key = tuple[Hashable, ...]
_HIGHEST: Final = 3
"""Where the highest block stands in a key."""
HURRY: Final = 0.9
"""Who gives a call less than this share of the time that its method has is in a hurry."""
_TOO_LARGE: Final = reply_too_large().category


class Flight:
    """One upstream call. `waiting`: its followers, None before the first. `outcome`: once it is over. `began`: seconds.

    Made for every call.
    """

    __slots__ = ("began", "outcome", "waiting")
    waiting: trio.lowlevel.ParkingLot | None
    outcome: Outcome | None

    def __init__(self, began: float) -> None:
        self.began = began
        self.waiting = self.outcome = None


@attrs.define(eq=False)
class Flights:
    """Those of one profile's chain. `followed`: calls that did not lead. `handed_over`: leaders that were replaced."""

    by_key: dict[Key, Flight] = attrs.field(factory=dict)
    followed: int = 0
    handed_over: int = 0

    def land(self, key: Key, flight: Flight, outcome: Outcome) -> None:
        """It is over for all. Somebody has followed."""
        assert flight.waiting is not None
        del self.by_key[key]
        flight.outcome = outcome
        flight.waiting.unpark_all()

    def hand_over(self, key: Key, flight: Flight) -> None:
        """Its leader is gone: the next one leads. It stays in place for that one, and for those that come meanwhile."""
        if flight.waiting:
            self.handed_over += 1
            flight.waiting.unpark()
        else:
            del self.by_key[key]


def key_of(call: Call, wishes: Key = (), params: bytes | None = None) -> Key:
    """What makes calls equal. `params`: their canonical text, where there is one; else the text as it came.

    `wishes`: whatever else of the call's wishes decides over its answer (transport, pin, session and what it was
    shown, floor). The strategy stands in it by its reason, a string: an enumeration's hash is dear.
    """
    chain, text = call.chain, call.params if params is None else params
    highest = chain.heads.view(call.started).highest
    return (call.method.name, text, call.plan.reason, highest, chain.counts.written, wishes)


async def coalesced(call: Call, rng: Random, act: Act, flights: Flights, key: Key) -> Outcome:
    """Carry out `call`, a replay-safe one, by `act`, or share the answer of one that is equal by `key`.

    Raises only Cancelled; a leader's cancellation costs its followers nothing but the time that it had used.
    """
    mine = Flight(call.started)
    flight = flights.by_key.setdefault(key, mine)
    while flight is not mine and (told := _told_since(call, flight, key)):
        key = (*key[:_HIGHEST], told, *key[_HIGHEST + 1 :])
        flight = flights.by_key.setdefault(key, mine)
    if flight is not mine:
        return await _follow(call, rng, act, flights, key, flight)
    # As `_lead`, without its await: this is what every call pays.
    try:
        outcome = await act(call, rng)
    except BaseException:
        flights.hand_over(key, flight)
        raise
    if flight.waiting is None:
        del flights.by_key[key]
    else:
        _arrive(call, flights, key, flight, outcome)
    return outcome


def _told_since(call: Call, flight: Flight, key: Key) -> int:
    """The highest block that was told since `flight` began; 0 if the key knows of it. Keys are made of a view of the
    heads, which is reckoned now and then: who comes right behind a head is not to be given what was asked before it.
    """
    known, highest = key[_HIGHEST], 0
    assert isinstance(known, int)
    for head in call.chain.heads.heads.values():
        if head.height is not None and head.height > max(known, highest) and head.at >= flight.began:
            highest = head.height
    return highest


async def _follow(call: Call, rng: Random, act: Act, flights: Flights, key: Key, flight: Flight) -> Outcome:
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
    _arrive(call, flights, key, flight, outcome)
    return outcome


def _arrive(call: Call, flights: Flights, key: Key, flight: Flight, outcome: Outcome) -> None:
    """For all, or for the leader alone."""
    if flight.waiting and outcome.failed and (_ran_out_of_time(call, outcome) or _ran_out_of_room(call, outcome)):
        flights.hand_over(key, flight)
    else:
        flights.land(key, flight, outcome)


def _ran_out_of_time(call: Call, outcome: Outcome) -> bool:
    """Lost because of this call's own deadline, or its hurry, which say nothing about the others'."""
    if outcome.verdict is not None and not outcome.verdict.retriable:
        return False
    hurried = FAIR_SHARE * (call.deadline - call.started) < HURRY * call.fair_s
    return hurried or call.clock() >= call.deadline - SHORTEST_ATTEMPT_S


def _ran_out_of_room(call: Call, outcome: Outcome) -> bool:
    """The results of one batch are held in a room of their own."""
    return call.room is not None and outcome.error is not None and outcome.error.category == _TOO_LARGE


def given_room(call: Call, reply: Reply) -> tuple[Reply | None, RpcError | None]:
    """A reply that was there already, if the call's room can hold it; else the error to tell."""
    if call.room is not None:
        try:
            call.room.take(len(reply.before) + len(reply.after))
        except TooLarge:
            return None, reply_too_large()
    return reply, None


def _share(call: Call, shared: Outcome) -> Outcome:
    """An outcome of one's own with the same answer in it; no attempt and no retry was this call's."""
    reply, error = (None, shared.error) if shared.reply is None else given_room(call, shared.reply)
    waited = call.clock() - call.started
    return Outcome(
        reply, None, error, shared.verdict, shared.candidate, "coalesced", upstream_s=waited, cache="coalesced"
    )
