"""Where a signed transaction is, asked by its hash: of a few instances at a time, until one has it.

A question is paid for (`Ration`) like any second dispatch; where no token is left, one is asked nevertheless, the
likeliest. Owns no verdict: that nobody says to have it means nothing yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import attrs
import trio

from lasso_trio.jsonrpc.methods import Method, known
from lasso_trio.routing.attempt import Attempt, attempt
from lasso_trio.routing.call import FAIR_SHARE, Call
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.retry_budget import Ration
from lasso_trio.routing.write_verdict import WORTH_A_LOOK, Said

LOOKED_UP_AT: Final = 3
"""Instances, at the same time."""

_OBJECT: Final = ord("{")


def _look_up_method() -> Method:
    method = known("eth_getTransactionByHash")
    assert method is not None
    return method


_LOOK_UP: Final = _look_up_method()


def witnesses(answers: Iterable[tuple[Said, Attempt]], ranked: Sequence[Candidate]) -> list[Candidate]:
    """Who said that the nonce is used, then who may have it, then anybody; another one always among them."""
    answered = sorted(answers, key=lambda answer: answer[0])
    asked = [done.candidate for said, done in answered if said in WORTH_A_LOOK]
    others = [c for c in ranked if c not in asked]
    chosen: dict[str, Candidate] = {}
    for candidate in (*asked[: LOOKED_UP_AT - 1], *others, *asked[LOOKED_UP_AT - 1 :]):
        chosen.setdefault(candidate.channel.instance_id, candidate)
    return list(chosen.values())[:LOOKED_UP_AT]


@attrs.define(eq=False)
class LookUp:
    """The search for the transaction with `hash` (0x and 64 digits), for `call`."""

    call: Call
    hash: str
    ration: Ration

    async def round(self, among: Sequence[Candidate]) -> Attempt | None:
        """Ask all of `among` at the same time; the first answer that shows it, None if there is none."""
        found: list[Attempt] = []
        async with trio.open_nursery() as nursery:
            for candidate in among:
                now = self.call.clock()
                if self._may_ask(candidate, now):
                    nursery.start_soon(self._ask, candidate, now, found, nursery.cancel_scope)
        return found[0] if found else None

    def _may_ask(self, candidate: Candidate, now: float) -> bool:
        """Whether it can be paid for, and a breaker lets it through. It must be asked then."""
        if not self.ration.affords(now) or not candidate.channel.admit(now, _LOOK_UP.row):
            return False
        self.ration.spend()
        return True

    async def _ask(self, candidate: Candidate, now: float, found: list[Attempt], others: trio.CancelScope) -> None:
        until = min(self.call.deadline, now + _LOOK_UP.timeout_s)
        params = b'["%b"]' % self.hash.encode()
        fair_s = FAIR_SHARE * _LOOK_UP.timeout_s
        done = await attempt(_LOOK_UP, params, b"0", candidate, now, until, False, self.call.clock, fair_s=fair_s)
        if done.reply is not None and done.reply.error is None and done.reply.result_first == _OBJECT:
            found.append(done)
            others.cancel()
