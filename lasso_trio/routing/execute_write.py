"""A signed transaction, sent to several providers, and found again when nobody says what became of it.

    lanes ─┬─ accepted, or already known ─► the call is answered; the other lanes go on without it
           ├─ "nonce too low" ─► the hash is looked up at once, beside the lanes
           └─ all ended, or little time is left ─► the hash is looked up, if anybody may have it
                                                     ├─ found ─► success
                                                     └─ not found ─► the most telling error

Every instance is dispatched to once, whatever its channels, and nothing is raced; who is silent is not given up, but
another is asked beside it (`write_lanes`). Lanes belong to the node's `Afterwork` and not to the call: neither an early
answer nor a client that leaves takes back what is on its way. Where there is no room for them, there is one lane, which
belongs to the call. A transaction whose hash cannot be told (`raw_transaction`) is sent once, as other writes are.
"""

from __future__ import annotations

from random import Random
from typing import Final

import attrs
import trio

from lasso_trio.jsonrpc.errors import deadline_exhausted, outcome_indeterminate, request_timeout
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.providers.verdict import VERDICTS, Category
from lasso_trio.routing.afterwork import Afterwork
from lasso_trio.routing.attempt import Attempt
from lasso_trio.routing.execute import Call, execute, nobody
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.raw_transaction import hash_in
from lasso_trio.routing.retry_budget import Ration
from lasso_trio.routing.write_lanes import Lanes
from lasso_trio.routing.write_look_up import LookUp, witnesses
from lasso_trio.routing.write_verdict import MAY_HAVE_IT, SUCCESS, WORTH_A_LOOK, Said, most_telling, said_by

LOOK_UP_SHARE: Final = 0.2
"""The last part of the budget, in which a transaction that nobody answered for is looked up."""
ROUNDS: Final = 3
FIRST_PAUSE_S: Final = 0.1
"""Between the first two rounds; doubles."""

_BEFORE: Final = b'{"jsonrpc":"2.0","id":'


async def broadcast(call: Call, rng: Random, afterwork: Afterwork | None = None) -> Outcome:
    """Carry out `call`, an eth_sendRawTransaction. As `execute`; raises only Cancelled, which takes back no dispatch
    that `afterwork` owns.
    """
    hash_ = hash_in(call.params)
    if hash_ is None or not call.plan.ranked:
        return await execute(call, rng)
    write = Write.of(call, hash_, rng)
    if afterwork is not None and afterwork.start(write.send, f"write {hash_[:10]}"):
        return await write.outcome()
    write.lanes.width = 1
    async with trio.open_nursery() as nursery:
        nursery.start_soon(write.send)
        outcome = await write.outcome()
        nursery.cancel_scope.cancel()
    return outcome


@attrs.define(eq=False)
class Write:
    """One transaction on its way. `answers`: what was said of it so far; `won`: the answer for the client.

    `news`: it is there, all lanes have ended, or it is to be looked up at once. `settled`: one of the first two.
    """

    call: Call
    hash: str
    reason: str
    lanes: Lanes = attrs.field(init=False)
    look_up: LookUp = attrs.field(init=False)
    answers: list[tuple[Said, Attempt]] = attrs.field(factory=list)
    won: Outcome | None = None
    ended: bool = False
    news: trio.Event = attrs.field(factory=trio.Event)
    settled: trio.Event = attrs.field(factory=trio.Event)

    @classmethod
    def of(cls, call: Call, hash_: str, rng: Random) -> Write:
        """Not begun. `call` has a plan with somebody in it."""
        first, reason = call.plan.first(rng, call.method.replay_safe, call.prefer)
        write = cls(call, hash_, reason)
        queue, width = [first, *call.plan.rest(first, rng)], call.chain.chain.routing.broadcast
        write.lanes = Lanes(call, queue, width, write.hear, Ration(call.retries))
        write.look_up = LookUp(call, hash_, Ration(call.retries))
        return write

    async def send(self) -> None:
        """Send it, and hear all answers. Bounded by the call's deadline."""
        try:
            await self.lanes.run()
        finally:
            self.ended = True
            self._settle()

    def hear(self, done: Attempt) -> Said:
        said = said_by(done, self.hash)
        self.answers.append((said, done))
        if said is Said.WRONG:
            _blame(done, self.call)
        elif said in SUCCESS:
            self._win(done, done.reply if said is Said.ACCEPTED else None, said.name.lower())
        elif said is Said.NONCE_USED:
            self.news.set()
        return said

    def _settle(self) -> None:
        self.settled.set()
        self.news.set()

    # The answer

    async def outcome(self) -> Outcome:
        """Wait for the first success; look it up if there is none, and say what is known."""
        call = self.call
        with trio.CancelScope(deadline=call.deadline - LOOK_UP_SHARE * (call.deadline - call.started)):
            await self.news.wait()
        if self.won is None and self._worth_a_look():
            with trio.CancelScope(deadline=call.deadline):
                await self._look_it_up()
        return self.won or self._lost()

    def _worth_a_look(self) -> bool:
        return not self.ended or any(said in WORTH_A_LOOK for said, _ in self.answers)

    async def _look_it_up(self) -> None:
        """Until it is found, or a lane is told of it, or there is no more point in it."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._stop_at_win, nursery.cancel_scope)
            await self._rounds()
            nursery.cancel_scope.cancel()

    async def _rounds(self) -> None:
        pause, rounds = FIRST_PAUSE_S, 0
        while self.won is None:
            found = await self.look_up.round(witnesses(self.answers, self.call.plan.ranked))
            rounds += 1
            if found is not None:
                self._win(found, None, "looked_up")
            elif self._is_over() and rounds >= self._enough():
                return
            else:
                await self._pause(pause)
                pause *= 2

    async def _stop_at_win(self, seeking: trio.CancelScope) -> None:
        await self.settled.wait()
        if self.won is not None:
            seeking.cancel()

    def _is_over(self) -> bool:
        """Nobody will say more that is worth waiting for: of a nonce that is used, no silent one knows better."""
        used = any(said is Said.NONCE_USED for said, _ in self.answers)
        return self.ended or (used and self.lanes.at_rest.is_set())

    def _enough(self) -> int:
        """Rounds. What may yet spread is looked for more than once."""
        return ROUNDS if any(said in MAY_HAVE_IT for said, _ in self.answers) else 1

    async def _pause(self, seconds: float) -> None:
        """Between two rounds: not longer than until the lanes come to rest."""
        with trio.move_on_after(seconds):
            if not self.lanes.at_rest.is_set():
                await self.lanes.at_rest.wait()
            else:
                await trio.sleep_forever()

    def _win(self, done: Attempt, reply: Reply | None, reason: str) -> None:
        if self.won is None:
            asked_first = len(self.answers) == 1 and not self.lanes.replacements
            reason = self.reason if reason == "accepted" and asked_first else reason
            self.won = self._outcome(done, reply or _own_reply(self.hash), reason)
            self.lanes.found = True
            self._settle()

    def _lost(self) -> Outcome:
        call = self.call
        if self.ended and not self.answers:
            late = call.is_late(call.clock())
            error = deadline_exhausted() if late else nobody(call.chain, call.method, call.plan, call.started)
            return Outcome(error=error)
        said, done = most_telling(self.answers) if self.answers else (Said.SILENT, None)
        open_ = not self.ended or any(said in MAY_HAVE_IT for said, _ in self.answers)
        if done is None or (open_ and said is not Said.NONCE_USED):
            return self._indeterminate(done)
        outcome = self._outcome(done, done.reply, self.reason)
        outcome.error = None if done.reply is not None else done.error or request_timeout()
        outcome.verdict, outcome.failed = done.verdict, True
        return outcome

    def _indeterminate(self, done: Attempt | None) -> Outcome:
        """Nobody knows. The hash lets the client look for itself."""
        error = outcome_indeterminate()
        error.data = {"transaction_hash": self.hash}
        candidate = None if done is None else done.candidate
        return Outcome(error=error, candidate=candidate, reason=self.reason, retries=self.lanes.replacements)

    def _outcome(self, done: Attempt, reply: Reply | None, reason: str) -> Outcome:
        return Outcome(
            reply=reply,
            candidate=done.candidate,
            reason=reason,
            retries=self.lanes.replacements,
            selection_s=self.lanes.selection_s or 0.0,
            upstream_s=done.seconds,
        )


def _blame(done: Attempt, call: Call) -> None:
    """Its channel has heard of a success."""
    done.candidate.tally.failures += 1
    done.candidate.channel.failed(call.method.row, VERDICTS[Category.PROVIDER_ERROR], 0.0, call.clock())


def _own_reply(hash_: str) -> Reply:
    result = b'"%b"' % hash_.encode()
    return Reply(_BEFORE, b',"result":%b}' % result, None, len(result), result[0])
