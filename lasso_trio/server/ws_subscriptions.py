"""`eth_subscribe` and `eth_unsubscribe` of one socket: its subscriptions by id, and the answers about them.

The answer to `eth_subscribe` goes out when its stream is live, and the first event not before the answer: `start` is
called when the answer is on its way. Whatever ends the socket closes all of them.
"""

from __future__ import annotations

from typing import Final, Protocol

import attrs
import msgspec

from lasso_trio.jsonrpc.errors import (
    INVALID_PARAMS,
    LOCAL_CAPACITY,
    SERVER_ERROR,
    RpcError,
    method_not_supported,
)
from lasso_trio.jsonrpc.request import Request
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.subscriptions.fanout import Member

_decode_ids: Final = msgspec.json.Decoder(list[str]).decode


class Subscription(Protocol):
    """One that is live upstream, and silent until `start`."""

    @property
    def id(self) -> str: ...

    def start(self) -> None: ...

    def close(self) -> None: ...


class Hub(Protocol):
    """Where subscriptions come from."""

    async def subscribe(self, chain: RoutedChain, params: bytes, member: Member) -> Subscription:
        """Returns when the stream is live. Raises RpcError, also when that takes too long."""


def not_found() -> RpcError:
    """geth's words, which clients know."""
    return RpcError(SERVER_ERROR, "subscription not found", category="subscription_not_found")


def too_many() -> RpcError:
    return RpcError(LOCAL_CAPACITY, "Subscription capacity unavailable", category="local_capacity")


def invalid_params() -> RpcError:
    return RpcError(INVALID_PARAMS, "Invalid subscription parameters", category="invalid_params")


@attrs.define(eq=False)
class Subscriptions:
    """Of one socket. `hub`: None where nobody can subscribe."""

    hub: Hub | None
    member: Member
    most: int
    _open: dict[str, Subscription] | None = None
    _pending: int = 0

    def __len__(self) -> int:
        return self._pending + (0 if self._open is None else len(self._open))

    async def subscribe(self, chain: RoutedChain, request: Request) -> Subscription:
        """A new one, counted from now on. Raises RpcError. Cancelled: as if it had not been asked for."""
        if self.hub is None:
            raise method_not_supported()
        if len(self) >= self.most:
            raise too_many()
        self._pending += 1
        try:
            subscription = await self.hub.subscribe(chain, request.params, self.member)
        finally:
            self._pending -= 1
        if self._open is None:
            self._open = {}
        self._open[subscription.id] = subscription
        return subscription

    def unsubscribe(self, params: bytes) -> None:
        """Raises RpcError when there is no such subscription on this socket."""
        try:
            (id_,) = _decode_ids(params)
        except (msgspec.DecodeError, ValueError):
            raise invalid_params() from None
        subscription = None if self._open is None else self._open.pop(id_, None)
        if subscription is None:
            raise not_found()
        subscription.close()

    def close(self) -> None:
        """Close them all. Idempotent."""
        if self._open is not None:
            for subscription in self._open.values():
                subscription.close()
            self._open = None
