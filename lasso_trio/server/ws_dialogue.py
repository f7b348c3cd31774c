"""What one socket's messages ask for, and what is answered: calls, batches, subscriptions, and what is none of these.

    message ─ decode ─ route (again, when the configuration has changed) ─ client limit ─ one call
                                                                                        ├ a batch
                                                                                        └ subscribe, unsubscribe

`put` gives one text its place among what the client is sent; awaiting what it returns is waiting until it is written.
Both raise when the client has gone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs

from lasso_trio.access.guard import Guard
from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.jsonrpc.request import Invalid, Request, decode
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.room import Room
from lasso_trio.server.guarded import permitted
from lasso_trio.server.routes import Route
from lasso_trio.server.ws_routes import Destination, guarded_route
from lasso_trio.server.ws_subscriptions import Subscription, Subscriptions
from lasso_trio.server.ws_unary import Share, Unary, asks_for_meta, check_batch, is_about_subscriptions

Item = Request | Invalid
Answers = list[bytes | None]


@attrs.define(eq=False)
class Dialogue:
    """Of one socket. `host`: the client's address; `room`: for the results of all its calls together."""

    to: Destination
    route: Route
    host: str
    unary: Unary
    directory: Callable[[], Directory]
    generation: int
    subscriptions: Subscriptions
    put: Callable[[bytes], Awaitable[None]]
    room: Room

    async def answer(self, message: bytes) -> None:
        """Answer one message. Raises what `put` raises, and nothing else but Cancelled."""
        try:
            decoded = decode(message, self.unary.settings.max_batch)
            if isinstance(decoded, list):
                await self._answer_batch(decoded)
            else:
                await self._answer_one(decoded, message)
        except RpcError as error:  # of the message as a whole
            await self.put(error.encode())

    async def _answer_one(self, item: Item, message: bytes) -> None:
        if isinstance(item, Invalid):
            self._admit(1)
            await self.put(item.error.encode(item.id))
            return
        try:
            route = self._admit(1)
            if route.guard is not None and (forbidden := route.guard.forbids(item.method.name)) is not None:
                raise forbidden
        except RpcError as error:
            if item.id is not None:
                await self.put(error.encode(item.id))
            return
        if is_about_subscriptions(item):
            text, subscription = await self._about_subscription(route, item)
            await self._put_and_start(None if item.id is None else text, [subscription])
        else:
            await self._call(route, item, meta=asks_for_meta(message))

    async def _call(self, route: Route, request: Request, *, meta: bool) -> None:
        share = Share(self.room)
        try:
            answered = await self.unary.one(route, request, share, meta=meta)
            for text in (answered.text, answered.meta):
                if text is not None:
                    await self.put(text)
        finally:
            share.release()

    async def _put_and_start(self, text: bytes | None, subscriptions: list[Subscription | None]) -> None:
        """No event before the answer with its id, and none later than that."""
        written = None if text is None else self.put(text)
        for subscription in subscriptions:
            if subscription is not None:
                subscription.start()
        if written is not None:
            await written

    def _admit(self, calls: int) -> Route:
        """Count them; where they are to go. Raises RpcError."""
        self.unary.counters.calls += calls
        route = self._route_now()
        if route.guard is not None and (unwelcome := self._unwelcome(route.guard)) is not None:
            raise unwelcome.with_traceback(None)  # it is kept, and would keep every traceback too
        refused = self.unary.limited(route, self.host, calls)
        if refused is not None:
            raise refused
        return route

    @property
    def has_route(self) -> bool:
        """Whether the configuration still has what the handshake asked for. It costs a look, unless it has changed."""
        try:
            self._route_now()
        except RpcError:
            return False
        return True

    @property
    def is_welcome(self) -> bool:
        """Whether its client's key or token is still good, and for its subscriptions too; True where none is wanted."""
        guard = self.route.guard
        if guard is None:
            return True
        return self._unwelcome(guard) is None and (not len(self.subscriptions) or guard.permits("eth_subscribe"))

    def _unwelcome(self, guard: Guard) -> RpcError | None:
        return guard.admit(self.host, self.unary.gates.clock())

    def _route_now(self) -> Route:
        """Raises RpcError when the new configuration does not have what the handshake asked for."""
        directory = self.directory()
        if directory.generation != self.generation:
            route = self.to.route(directory)
            self.route = guarded_route(route, self.to, self.unary.gates)
            self.generation = directory.generation
        if self.route.error is not None:
            raise self.route.error
        return self.route

    # Batches…

    async def _answer_batch(self, items: list[Item]) -> None:
        """Calls go side by side, subscriptions after them, one by one. The answers keep the order of the requests."""
        check_batch(items)
        route = self._admit(len(items))
        if route.guard is not None:
            items = permitted(route.guard, items)
        answers: Answers = [None] * len(items)
        calls = [position for position, item in enumerate(items) if not is_about_subscriptions(item)]
        for position, text in zip(calls, await self.unary.many(route, [items[n] for n in calls]), strict=True):
            answers[position] = text
        started = await self._subscribe_all(route, items, answers)
        texts = [text for text in answers if text is not None]
        await self._put_and_start(b"[%b]" % b",".join(texts) if texts else None, started)

    async def _subscribe_all(
        self, route: Route, items: list[Item], answers: list[bytes | None]
    ) -> list[Subscription | None]:
        started: list[Subscription | None] = []
        for position, item in enumerate(items):
            if isinstance(item, Request) and is_about_subscriptions(item):
                text, subscription = await self._about_subscription(route, item)
                answers[position] = None if item.id is None else text
                started.append(subscription)
        return started

    async def _about_subscription(self, route: Route, request: Request) -> tuple[bytes, Subscription | None]:
        """The answer, and the subscription that is to start when it is on its way."""
        try:
            if request.method.name == "eth_unsubscribe":
                self.subscriptions.unsubscribe(request.params)
                return _result(request, b"true"), None
            subscription = await self.subscriptions.subscribe(route.routed_chain, request)
        except RpcError as error:
            return error.encode(request.reply_id), None
        self.unary.counters.subscribed += 1
        return _result(request, b'"%b"' % subscription.id.encode()), subscription


def _result(request: Request, result: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (request.reply_id, result)
