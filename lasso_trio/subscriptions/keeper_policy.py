"""What the end of a session means, and when the next one is tried: a keeper's decisions, apart from its sockets.

A session that stood `STABLE_S` proves the way; until then its end is a failure like one of the dial's, so that a
server that accepts and drops is not taken for a healthy one. The first reconnection comes at once, but for a jitter
(all the sockets of a restarted balancer end together); the others wait 1 s · 2^(n-2), up to 30 s (± 20 %). Throttling
is obeyed, half a minute at least; a refused key is not tried for two minutes, a wrong chain for half a minute and more.
Pure: dice and times are passed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

import attrs

from lasso_trio.config.profile import ErrorRule
from lasso_trio.providers.classify import Category, Verdict, classify, classify_fault, verdict_for
from lasso_trio.providers.retry_after import retry_after
from lasso_trio.upstream.websocket import Ending

STABLE_S: Final = 5.0
FIRST_CONNECT_S: Final = 0.5
"""First connections are spread over so long."""
RETRY_AT_ONCE_S: Final = (0.05, 0.5)
LONGEST_WAIT_S: Final = 30.0
JITTER: Final = 0.2
THROTTLED_S: Final = 30.0
HURRIED_S: Final = 2.0
"""Between two tries, when a stream has nobody to listen to."""
HURRY_S: Final = 35.0
"""For so long after a stream said so."""
REFUSED_S: Final = 120.0
WRONG_CHAIN_S: Final = 30.0
LONGEST_WRONG_CHAIN_S: Final = 300.0
WRONG_CHAIN: Final = "wrong_chain"

_TIMEOUTS: Final = frozenset({"timed_out", "silent", "mute"})


def judge(ending: Ending, rules: Sequence[ErrorRule] = ()) -> Verdict | None:
    """Whose fault it was, in the words that breakers know; None: nobody's.

    `rules`: what the profiles say of this provider's errors.
    """
    if ending.graceful or ending.reason == WRONG_CHAIN:
        return None
    if ending.fault is not None:
        return verdict_for(classify_fault(ending.fault).category)
    if ending.reason == "refused" and ending.code is not None:
        return classify(ending.code, None, ending.text, None, rules)
    return verdict_for(Category.TIMEOUT if ending.reason in _TIMEOUTS else Category.NETWORK_ERROR)


def hint_s(ending: Ending, wall: float) -> float | None:
    """When a refusal says to come back: seconds from `wall` (Unix time)."""
    return retry_after(ending.header(b"retry-after"), None, ending.text, wall)


def may_hurry(ending: Ending, verdict: Verdict | None) -> bool:
    """May the wait be cut short? Not against the will of a provider that throttles or refuses, or is the wrong one."""
    if ending.reason == WRONG_CHAIN:
        return False
    return verdict is None or (verdict.kind != "quota" and verdict.category is not Category.AUTH_ERROR)


@attrs.define(eq=False)
class Backoff:
    """`failures`: sessions in a row that did not stand, or never began."""

    failures: int = 0

    def stood(self) -> None:
        self.failures = 0

    def ended(self) -> None:
        self.failures += 1

    def wait_s(self, ending: Ending, verdict: Verdict | None, cooldown_s: float, rng: Random) -> float:
        """Until the next try. `cooldown_s`: what is left of the channel's cooldown."""
        spread = rng.uniform(1 - JITTER, 1 + JITTER)
        if ending.reason == WRONG_CHAIN:
            return min(WRONG_CHAIN_S * 2.0 ** self._steps(1), LONGEST_WRONG_CHAIN_S) * spread
        if verdict is not None and verdict.kind == "quota":
            return max(THROTTLED_S, cooldown_s) * rng.uniform(1, 1 + JITTER)
        if verdict is not None and verdict.category is Category.AUTH_ERROR:
            return REFUSED_S * spread
        if self.failures <= 1:
            return rng.uniform(*RETRY_AT_ONCE_S)
        return min(2.0 ** self._steps(2), LONGEST_WAIT_S) * spread

    def _steps(self, first: int) -> int:
        return min(max(0, self.failures - first), 16)
