"""What follows from an instance's answer to `eth_chainId`: it serves, or it is quarantined and shouted about.

The shouting is repeated for as long as it says the same, but not each time. Only this quarantine is ended by the right
chain: an operator's is not. Pure but for the log: the clock is passed in, in seconds.
"""

from __future__ import annotations

from typing import Final

import attrs
import structlog

from lasso_trio.providers.breaker import State
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.head import ChainCheck, Head
from lasso_trio.providers.probe_answer import ProbeAnswer
from lasso_trio.providers.probe_witness import Witness

log = structlog.get_logger(__name__)

WRONG_CHAIN: Final = "wrong_chain"
SHOUT_EVERY: Final = 60
"""Rounds between two log lines about the same wrong chain."""


@attrs.define(eq=False)
class ChainWatch:
    """Of one instance, that `head` tells of; `chain_id` is the one it is configured for."""

    channel: Channel
    head: Head
    chain_id: int
    witness: Witness
    _shouts: int = 0

    def check(self, answer: ProbeAnswer, now: float) -> str:
        """`answer` without a number: it does not have the method. Returns what is wrong, nothing if it may serve."""
        if answer.number is not None and answer.number != self.chain_id:
            self._quarantine(answer.number, now)
            return f"wrong chain_id: got {answer.number}, expected {self.chain_id}"
        check = ChainCheck.RIGHT if answer.number is not None else ChainCheck.MUTE
        if check is ChainCheck.MUTE and self.head.check is not ChainCheck.MUTE:
            log.warning("probe.chain_unknown", said=answer.words, **self._who())
        self._settle(check, now)
        return ""

    def _settle(self, check: ChainCheck, now: float) -> None:
        before, self.head.check, self.head.told_chain = self.head.check, check, None
        breaker = self.channel.breaker
        if breaker.reason == WRONG_CHAIN and breaker.state(now) is State.OPEN:  # perhaps by a prober before us
            breaker.release(now, "right chain again")
            self.witness.saw_failure()
        if before is check:
            return
        if before is ChainCheck.WRONG:
            log.warning("probe.right_chain", chain_id=self.chain_id, **self._who())
            self._shouts = 0
        self.channel.version.bump()

    def _quarantine(self, told: int, now: float) -> None:
        breaker = self.channel.breaker
        news = self.head.told_chain != told
        self.head.check, self.head.told_chain = ChainCheck.WRONG, told
        if not (breaker.state(now) is State.OPEN and breaker.quarantined):
            breaker.quarantine(WRONG_CHAIN, now)
        if news:
            self._shouts = 0
            self.channel.version.bump()
        if self._shouts % SHOUT_EVERY == 0:
            log.error("probe.wrong_chain", got=told, expected=self.chain_id, origin=self.channel.origin, **self._who())
        self._shouts += 1

    def _who(self) -> dict[str, str]:
        return {"instance": self.channel.instance_id}
