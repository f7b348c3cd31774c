"""Whether a socket serves the chain that its instance is configured for: asked once in each session, before its use.

A wrong chain is quarantined on this channel, as a prober does on the other, and shouted about once; the right one again
is let go. Where no prober asks (`alone`), the answer is the instance's, for all who plan.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import structlog
import trio

from lasso_trio.config.profile import ErrorRule
from lasso_trio.providers.breaker import State
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.head import ChainCheck, Head
from lasso_trio.providers.probe_answer import Kind, ProbeAnswer
from lasso_trio.providers.probe_schedule import Question
from lasso_trio.providers.probe_witness import Witness
from lasso_trio.subscriptions import keeper_policy as policy
from lasso_trio.subscriptions.keeper_heads import ask
from lasso_trio.upstream.websocket import Ending, Over
from lasso_trio.upstream.ws_link import WsLink

log = structlog.get_logger(__name__)


@attrs.define(eq=False)
class ChainProof:
    """`wrong`: the id of a wrong chain, while that is what it says. `refusal`: what it said last instead of an id."""

    channel: Channel
    head: Head
    chain_id: int
    alone: bool
    witness: Witness
    wall: Callable[[], float]
    rules: Callable[[], Sequence[ErrorRule]] = tuple
    """What the profiles say of this provider's errors."""
    wrong: int | None = None
    refusal: ProbeAnswer | None = None
    _warned: bool = False

    def __attrs_post_init__(self) -> None:
        if self.alone and self.head.check is ChainCheck.TRUSTED:  # else another process has looked already
            self.head.check = ChainCheck.PENDING

    async def check(self, link: WsLink) -> None:
        """Raises Over unless the socket may serve."""
        answer = await ask(link, Question.CHAIN_ID, self.wall, self.rules())
        self.refusal = None if answer.kind in (Kind.GOOD, Kind.UNANSWERED) else answer
        if self.refusal is not None:
            raise Over(Ending("unchecked", text=answer.words, opened=True))
        if answer.number is not None and answer.number != self.chain_id:
            self._quarantine(answer.number)
            raise Over(Ending(policy.WRONG_CHAIN, opened=True))
        if answer.number is None:
            self._warn(answer.words)
        self._accept(ChainCheck.MUTE if answer.number is None else ChainCheck.RIGHT)

    def _quarantine(self, told: int) -> None:
        breaker, now = self.channel.breaker, trio.current_time()
        if not (breaker.state(now) is State.OPEN and breaker.quarantined):
            breaker.quarantine(policy.WRONG_CHAIN, now)
        if self.wrong != told:
            log.error("keeper.wrong_chain", got=told, expected=self.chain_id, origin=self.channel.origin, **self._who())
        self.wrong = told
        if self.alone:
            self.head.check, self.head.told_chain = ChainCheck.WRONG, told
            self.head.touched()
        self.channel.version.bump()

    def _accept(self, check: ChainCheck) -> None:
        if self.wrong is not None or self.channel.breaker.reason == policy.WRONG_CHAIN:
            self.wrong = None
            self._release()
        if self.alone:
            self.head.check, self.head.told_chain = check, None
            self.head.touched()

    def _release(self) -> None:
        log.warning("keeper.right_chain", chain_id=self.chain_id, **self._who())
        if self.channel.breaker.reason == policy.WRONG_CHAIN:
            self.channel.breaker.release(trio.current_time(), "right chain again")
            self.witness.saw_failure()

    def _warn(self, words: str) -> None:
        if not self._warned:
            log.warning("keeper.chain_unknown", said=words, **self._who())
        self._warned = True

    def _who(self) -> dict[str, str]:
        return {"instance": self.channel.instance_id}
