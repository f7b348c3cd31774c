"""A signed transaction, sent to several providers, and found again when nobody says what became of it.

    lane 1 ─► a ─┬─ accepted, or already known ─► the call is answered; the other lanes go on without it
    lane 2 ─► b ─┤
                 ├─ silence, a broken reply, trouble of its own, declined ─► the lane goes on with another instance
                 └─ refused ─► the lane ends here
    all ended, or little time is left ─► the hash is looked up, if anybody may have it ─► found: success
                                                                                      └─► the most telling error

Every instance is dispatched to once, whatever its channels, and nothing is raced. Lanes belong to the node's
`Afterwork` and not to the call: neither an early answer nor a client that leaves takes back what is on its way. Where
there is no room for them, there is one lane, which belongs to the call. A transaction whose hash cannot be told
(`raw_transaction`) is sent once, as other writes are.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from random import Random
from typing import Final

import attrs
import trio

from lasso_trio.jsonrpc.errors import deadline_exhausted, outcome_indeterminate, request_timeout
from lasso_trio.jsonrpc.methods import Method, known
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.providers.verdict import VERDICTS, Category
from lasso_trio.routing.afterwork import Afterwork
from lasso_trio.routing.attempt import Attempt, attempt
from lasso_trio.routing.call import FAIR_SHARE
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.execute import FIRST_SHARE, MAX_DISPATCHES, Call, execute, nobody
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.raw_transaction import hash_in
from lasso_trio.routing.trail import followed
from lasso_trio.routing.write_verdict import MAY_HAVE_IT, SETTLED, SUCCESS, WORTH_A_LOOK, Said, most_telling, said_by

LOOK_UP_SHARE: Final = 0.2
"""The last part of the budget, in which a transaction that nobody answered for is looked up."""
LOOKED_UP_AT: Final = 3
"""Instances, at the same time."""
ROUNDS: Final = 3
FIRST_PAUSE_S: Final = 0.1
"""Between the first two rounds; doubles."""

_BEFORE: Final = b'{"jsonrpc":"2.0","id":'
_OBJECT: Final = ord("{")


def _look_up_method() -> Method:
    method = known("eth_getTransactionByHash")
    assert method is not None
    return method


_LOOK_UP: Final = _look_up_method()


async def broadcast(call: Call, rng: Random, afterwork: Afterwork | None = None) -> Outcome:
    """Carry out `call`, an eth_sendRawTransaction. As `execute`; raises only Cancelled, which takes back no dispatch
    that `afterwork` owns.
    """
    hash_ = hash_in(call.params)
    if hash_ is None or not call.plan.ranked:
        return await execute(call, rng)
    first, reason = call.plan.first(rng, call.method.replay_safe, call.prefer)
    write = Write(call, hash_, [first, *call.plan.rest(first, rng)], reason, call.chain.chain.routing.broadcast)
    if afterwork is not None and afterwork.start(write.send, f"write {hash_[:10]}"):
        return await write.outcome()
    write.width = 1
    async with trio.open_nursery() as nursery:
        nursery.start_soon(write.send)
        outcome = await write.outcome()
        nursery.cancel_scope.cancel()
    return outcome


@attrs.define(eq=False)
class Write:
    """One transaction on its way over `width` lanes. `queue`: who may be asked still; `taken`: instances that were.

    `won`: the answer for the client. `settled`: it is there, or all lanes have ended.
    """

    call: Call
    hash: str
    queue: list[Candidate]
    reason: str
    width: int
    taken: set[str] = attrs.field(factory=set)
    answers: list[tuple[Said, Attempt]] = attrs.field(factory=list)
    dispatches: int = 0
    selection_s: float | None = None
    won: Outcome | None = None
    ended: bool = False
    settled: trio.Event = attrs.field(factory=trio.Event)

    # The lanes

    async def send(self) -> None:
        """Send it to `width` instances that look at it, if there are so many. Bounded by the call's deadline."""
        try:
            async with trio.open_nursery() as lanes:
                for _ in range(self.width):
                    lanes.start_soon(self._lane)
        finally:
            self.ended = True
            self.settled.set()

    async def _lane(self) -> None:
        for candidate in self._untaken():
            now = self.call.clock()
            if not candidate.channel.admit(now, self.call.method.row):
                self.taken.discard(candidate.channel.instance_id)
                continue
            done = await self._dispatch(candidate, now)
            if self._hear(done) in SETTLED:
                return

    def _untaken(self) -> Iterator[Candidate]:
        """The next whose instance nobody has asked, as long as there is time and a dispatch left."""
        while not self.call.is_late(self.call.clock()):
            if self.dispatches >= self.width + MAX_DISPATCHES - 1:
                return
            candidate = next((c for c in self.queue if c.channel.instance_id not in self.taken), None)
            if candidate is None:
                return
            self.queue.remove(candidate)
            self.taken.add(candidate.channel.instance_id)
            yield candidate

    async def _dispatch(self, candidate: Candidate, now: float) -> Attempt:
        call = self.call
        if self.selection_s is None:
            self.selection_s = now - call.started
        self.dispatches += 1
        begin = partial(
            attempt, call.method, call.params, call.client_id, candidate, now, self._until(now), False, call.clock,
            fair_s=call.fair_s,
        )  # fmt: skip
        trail = call.trail
        done = await (begin() if trail is None else followed(trail, call, candidate, now, begin, "broadcast"))
        if not done.dispatched:
            self.dispatches -= 1
            self.taken.discard(candidate.channel.instance_id)  # its other channel may reach it
        return done

    def _until(self, now: float) -> float:
        """With one lane only, a provider that does not answer leaves time to ask another."""
        call = self.call
        if self.width > 1 or all(c.channel.instance_id in self.taken for c in self.queue):
            return call.deadline
        return min(call.deadline, now + max(call.shortest_s, FIRST_SHARE * (call.deadline - call.started)))

    def _hear(self, done: Attempt) -> Said:
        said = said_by(done, self.hash)
        self.answers.append((said, done))
        if said is Said.WRONG:
            _blame(done, self.call)
        elif said in SUCCESS:
            self._win(done, done.reply if said is Said.ACCEPTED else None, said.name.lower())
        return said

    # The answer

    async def outcome(self) -> Outcome:
        """Wait for the first success; look it up if there is none, and say what is known."""
        call = self.call
        with trio.CancelScope(deadline=call.deadline - LOOK_UP_SHARE * (call.deadline - call.started)):
            await self.settled.wait()
        if self.won is None and self._worth_a_look():
            with trio.CancelScope(deadline=call.deadline):
                await self._look_up()
        return self.won or self._lost()

    def _worth_a_look(self) -> bool:
        return not self.ended or any(said in WORTH_A_LOOK for said, _ in self.answers)

    async def _look_up(self) -> None:
        """Until it is found, or a lane is told of it, or there is no more point in it."""
        pause, rounds = FIRST_PAUSE_S, 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._stop_at_win, nursery.cancel_scope)
            while await self._sought() is None:
                rounds += 1
                if self.ended and rounds >= self._rounds():
                    break
                await trio.sleep(pause)
                pause *= 2
            nursery.cancel_scope.cancel()

    async def _stop_at_win(self, seeking: trio.CancelScope) -> None:
        await self.settled.wait()
        if self.won is not None:
            seeking.cancel()

    def _rounds(self) -> int:
        """What may yet spread is looked for more than once."""
        return ROUNDS if any(said in MAY_HAVE_IT for said, _ in self.answers) else 1

    async def _sought(self) -> Attempt | None:
        """One round."""
        found: list[Attempt] = []

        async def ask(candidate: Candidate, scope: trio.CancelScope) -> None:
            done = await self._seek(candidate)
            if done is not None:
                found.append(done)
                scope.cancel()

        async with trio.open_nursery() as nursery:
            for candidate in self._witnesses():
                nursery.start_soon(ask, candidate, nursery.cancel_scope)
        if found and self.won is None:
            self._win(found[0], None, "looked_up")
        return found[0] if found else None

    async def _seek(self, candidate: Candidate) -> Attempt | None:
        """Ask `candidate` whether it has the transaction; None if it does not say so."""
        now = self.call.clock()
        if not candidate.channel.admit(now, _LOOK_UP.row):
            return None
        until = min(self.call.deadline, now + _LOOK_UP.timeout_s)
        params = b'["%b"]' % self.hash.encode()
        fair_s = FAIR_SHARE * _LOOK_UP.timeout_s
        done = await attempt(_LOOK_UP, params, b"0", candidate, now, until, False, self.call.clock, fair_s=fair_s)
        has_it = done.reply is not None and done.reply.error is None and done.reply.result_first == _OBJECT
        return done if has_it else None

    def _witnesses(self) -> list[Candidate]:
        """Who said that the nonce is used, then who may have it, then anybody; another one always among them."""
        answered = sorted(self.answers, key=lambda answer: answer[0])
        asked = [done.candidate for said, done in answered if said in WORTH_A_LOOK]
        others = [c for c in self.call.plan.ranked if c not in asked]
        chosen: dict[str, Candidate] = {}
        for candidate in (*asked[: LOOKED_UP_AT - 1], *others, *asked[LOOKED_UP_AT - 1 :]):
            chosen.setdefault(candidate.channel.instance_id, candidate)
        return list(chosen.values())[:LOOKED_UP_AT]

    def _win(self, done: Attempt, reply: Reply | None, reason: str) -> None:
        if self.won is None:
            reason = self.reason if reason == "accepted" and len(self.answers) == 1 else reason
            self.won = self._outcome(done, reply or _own_reply(self.hash), reason)
            self.settled.set()

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
        return Outcome(error=error, candidate=candidate, reason=self.reason, retries=self._retries())

    def _outcome(self, done: Attempt, reply: Reply | None, reason: str) -> Outcome:
        return Outcome(
            reply=reply,
            candidate=done.candidate,
            reason=reason,
            retries=self._retries(),
            selection_s=self.selection_s or 0.0,
            upstream_s=done.seconds,
        )

    def _retries(self) -> int:
        """What was tried because another failed, and not for the breadth of it."""
        return max(0, len(self.answers) - self.width)


def _blame(done: Attempt, call: Call) -> None:
    """Its channel has heard of a success."""
    done.candidate.tally.failures += 1
    done.candidate.channel.failed(call.method.row, VERDICTS[Category.PROVIDER_ERROR], 0.0, call.clock())


def _own_reply(hash_: str) -> Reply:
    result = b'"%b"' % hash_.encode()
    return Reply(_BEFORE, b',"result":%b}' % result, None, len(result), result[0])
