"""What one socket's messages ask for, and what is answered: calls, batches, subscriptions, and what is none of these.

    message ─ decode ─ route (again, when the configuration has changed) ─ client limit ─ one call
                                                                                        ├ a batch
                                                                                        └ subscribe, unsubscribe

`put` gives texts their place among what the client is sent, one behind the other; awaiting what it returns is waiting
until they are written. Both raise when the client has gone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container

import attrs
import trio

from lasso_trio.access.guard import Guard
from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.jsonrpc.request import Invalid, Request, decode
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.room import Room
from lasso_trio.server.guarded import permitted
from lasso_trio.server.routes import Route
from lasso_trio.server.turns import Turns
from lasso_trio.server.ws_routes import Destination, guarded_route
from lasso_trio.server.ws_subscriptions import Subscription, Subscriptions
from lasso_trio.server.ws_unary import (
    Answered,
    Share,
    Unary,
    asks_for_meta,
    check_batch,
    is_about_subscriptions,
    who_asks_for_meta,
)

Item = Request | Invalid
Answers = list[bytes | None]


@attrs.define(eq=False)
class Dialogue:
    """Of one socket. `host`: the client's address; `room` and `turns`: of all its calls together."""

    to: Destination
    route: Route
    host: str
    unary: Unary
    directory: Callable[[], Directory]
    generation: int
    subscriptions: Subscriptions
    put: Callable[..., Awaitable[None]]
    room: Room
    turns: Turns

    async def answer(self, message: bytes) -> None:
        """Answer one message. Raises what `put` raises, and nothing else but Cancelled."""
        try:
            decoded = decode(message, self.unary.settings.max_batch)
            if isinstance(decoded, list):
                await self._answer_batch(decoded, message)
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
            await self._put_and_start([] if item.id is None else [text], [subscription])
        else:
            await self._call(route, item, meta=asks_for_meta(message))

    async def _call(self, route: Route, request: Request, *, meta: bool) -> None:
        share = Share(self.room)
        try:
            texts = (await self._in_turn(route, request, share, meta)).texts
            await self._put_and_start(texts, [])
        finally:
            share.release()

    async def _in_turn(self, route: Route, request: Request, share: Share, meta: bool) -> Answered:
        await self.turns.take()
        try:
            return await self.unary.one(route, request, share, meta=meta)
        finally:
            self.turns.give_back()

    async def _put_and_start(self, texts: list[bytes], subscriptions: list[Subscription | None]) -> None:
        """No event before the answer with its id, and none later than that."""
        written = self.put(*texts) if texts else None
        texts.clear()  # they are in their frames, and large perhaps
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

    async def _answer_batch(self, items: list[Item], message: bytes) -> None:
        """Calls go side by side, then subscriptions do. The answers keep the order of the requests."""
        check_batch(items)
        route = self._admit(len(items))
        if route.guard is not None:
            items = permitted(route.guard, items)
        share = Share(self.room)
        try:
            texts, started = await self._batch_texts(route, items, who_asks_for_meta(message), share)
            await self._put_and_start(texts, started)
        finally:
            share.release()

    async def _batch_texts(
        self, route: Route, items: list[Item], asking: Container[int], share: Share
    ) -> tuple[list[bytes], list[Subscription | None]]:
        """The batch's answer, if there is any, and the notifications behind it; and what is to start with it."""
        answers: Answers = [None] * len(items)
        calls = [position for position, item in enumerate(items) if not is_about_subscriptions(item)]
        meta = [index for index, position in enumerate(calls) if position in asking]
        answered = await self.unary.many(route, [items[n] for n in calls], share, self.turns, meta)
        for position, its in zip(calls, answered, strict=True):
            answers[position] = its.text
        started = await self._subscribe_all(route, items, answers)
        texts = [text for text in answers if text is not None]
        whole = [b"[%b]" % b",".join(texts)] if texts else []
        return whole + [its.meta for its in answered if its.meta is not None], started

    async def _subscribe_all(self, route: Route, items: list[Item], answers: Answers) -> list[Subscription | None]:
        """What is given up makes room first, then those that are wanted take theirs in their order.

        They wait for their streams together: fifty that nobody can feed take no longer than one.
        """
        wanted: list[tuple[int, Request]] = []
        for position, item in enumerate(items):
            if isinstance(item, Request) and is_about_subscriptions(item):
                if item.method.name == "eth_unsubscribe":
                    answers[position] = _unless_notification(item, self._unsubscribed(item))
                else:
                    wanted.append((position, item))
        return await self._subscribe_in_order(route, wanted, answers) if wanted else []

    async def _subscribe_in_order(
        self, route: Route, wanted: list[tuple[int, Request]], answers: Answers
    ) -> list[Subscription | None]:
        started: dict[int, Subscription | None] = {}

        async def one(position: int, request: Request, task_status: trio.TaskStatus[None]) -> None:
            task_status.started()  # the next one begins when this one waits, and then it is counted
            text, started[position] = await self._subscribed(route, request)
            answers[position] = _unless_notification(request, text)

        async with trio.open_nursery() as nursery:
            for position, item in wanted:
                await nursery.start(one, position, item)
        return [started[position] for position, _ in wanted]

    async def _about_subscription(self, route: Route, request: Request) -> tuple[bytes, Subscription | None]:
        """The answer, and the subscription that is to start when it is on its way."""
        if request.method.name == "eth_unsubscribe":
            return self._unsubscribed(request), None
        return await self._subscribed(route, request)

    def _unsubscribed(self, request: Request) -> bytes:
        try:
            self.subscriptions.unsubscribe(request.params)
        except RpcError as error:
            return error.encode(request.reply_id)
        return _result(request, b"true")

    async def _subscribed(self, route: Route, request: Request) -> tuple[bytes, Subscription | None]:
        try:
            subscription = await self.subscriptions.subscribe(route.routed_chain, request)
        except RpcError as error:
            return error.encode(request.reply_id), None
        self.unary.counters.subscribed += 1
        return _result(request, b'"%b"' % subscription.id.encode()), subscription


def _unless_notification(request: Request, text: bytes) -> bytes | None:
    return None if request.id is None else text


def _result(request: Request, result: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (request.reply_id, result)
