"""A feed: one upstream subscription, as the streams see it; and where feeds come from.

The seam between the keepers (which own the WebSockets to the providers) and the streams (which own what clients
subscribed to). A feed promises little on purpose: what arrives, arrives in the order the provider sent it, until it
ends. That nothing is missing is for the streams to prove.
"""

from __future__ import annotations

from typing import Final, Protocol

import attrs
import trio

from lasso_trio.errors import LassoError
from lasso_trio.providers.classify import ErrorClass, Verdict, classify
from lasso_trio.providers.retry_after import from_message

_PASSING: Final = frozenset(
    {ErrorClass.SERVER, ErrorClass.TIMEOUT, ErrorClass.TRANSPORT, ErrorClass.MISSING, ErrorClass.LOCAL}
)
"""Besides a quota: the node's own faults, not what was asked for."""


@attrs.frozen
class Arrival:
    """One notification. `result` is the raw JSON of its `params.result`; `at` is trio's clock when it was read."""

    result: bytes
    at: float


class NotConnected(LassoError):
    """There is no session at the moment, or it was lost while the feed was being opened."""


class Refused(LassoError):
    """The provider said no to this `eth_subscribe`: another one may say yes, or the same one later.

    `verdict`: what the words mean, by its `error_rules` and the catalogue, unless it is known already. `hint_s`: when
    it said to come back.
    """

    def __init__(self, code: int, text: str, verdict: Verdict | None = None, hint_s: float | None = None) -> None:
        super().__init__(f"{code}: {text}")
        self.code, self.text = code, text
        self.verdict = verdict or classify(200, code, text, None)
        self.hint_s = from_message(text) if hint_s is None else hint_s

    @property
    def lasts(self) -> bool:
        """Is it a no to what was asked for, and not the moment's?"""
        return self.verdict.kind != "quota" and self.verdict.error_class not in _PASSING


class Feed(Protocol):
    """An open upstream subscription.

    `arrivals` is bounded. It says EndOfChannel when the session was lost, when the feed was closed, and when it was
    read too slowly (which ends the feed; the keeper counts it).
    """

    @property
    def arrivals(self) -> trio.MemoryReceiveChannel[Arrival]: ...

    async def aclose(self) -> None:
        """Unsubscribe upstream, within a bounded time; nothing to do when the session is gone. Cancellation is fine:
        the upstream subscription is then left to the session's end."""


class FeedSource(Protocol):
    """A keeper, as the streams see it."""

    @property
    def instance_id(self) -> str: ...

    @property
    def connected(self) -> bool: ...

    def changed(self) -> trio.Event:
        """Set at the next connect or disconnect."""

    def hurry(self) -> None:
        """A stream has nobody to listen to: try to connect soon, if that is not against the provider's will."""

    async def open(self, params: bytes) -> Feed:
        """Subscribe upstream. `params`: the JSON array of `eth_subscribe`. Raises NotConnected, Refused."""
