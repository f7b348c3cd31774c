"""What one WebSocket session is subscribed to upstream: equal parameters share one subscription, counted by consumer.

    open(params) ─► nobody has it: eth_subscribe, in a task of the session ─► told(id) ─► arrivals to every consumer
               └──► somebody has it, or is about to: one more consumer
    aclose() of the last consumer ─► eth_unsubscribe, posted and not waited for

Consumers come and go in any order, even while the provider is still being asked: the subscription is then ended as
soon as its id is known. A consumer that does not read ends for itself, and is counted. When the session ends, all do.
Notifications that overtake the answer with their subscription's id are kept for it, a few.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Final

import attrs
import msgspec
import trio

from lasso_trio.config.profile import ErrorRule
from lasso_trio.jsonrpc.reply import BrokenReply, ErrorObject, check, encode_request
from lasso_trio.providers.classify import Category, classify, verdict_for
from lasso_trio.providers.retry_after import retry_after
from lasso_trio.subscriptions.feed import Arrival, NotConnected, Refused
from lasso_trio.upstream.faults import UpstreamFault
from lasso_trio.upstream.ws_link import WsLink
from lasso_trio.upstream.ws_message import News

ROOM: Final = 1024
"""Arrivals that a consumer may leave unread."""
SUBSCRIBE_S: Final = 10.0
MOST_EARLY: Final = 64

ids: Final = count(1 << 41)
"""Of the keepers' own requests: far from those of the calls and of the probers."""


@attrs.define(eq=False)
class FeedCounters:
    """Since the keeper was made. `orphans`: notifications of subscriptions that nobody has (any more)."""

    subscribed: int = 0
    refused: int = 0
    arrivals: int = 0
    overflows: int = 0
    orphans: int = 0


@attrs.define(eq=False)
class Subscription:
    """One `eth_subscribe`, asked for once. `settled` is set when it is `told` its id, or `failed`."""

    params: bytes
    consumers: list[KeeperFeed] = attrs.field(factory=list)
    settled: trio.Event = attrs.field(factory=trio.Event)
    id: bytes | None = None
    failed: Refused | NotConnected | None = None


@attrs.define(eq=False)
class KeeperFeed:
    """A `feed.Feed`."""

    arrivals: trio.MemoryReceiveChannel[Arrival]
    _send: trio.MemorySendChannel[Arrival]
    _leave: Callable[[KeeperFeed], None]

    def push(self, arrival: Arrival) -> bool:
        """False: it is full."""
        try:
            self._send.send_nowait(arrival)
        except trio.WouldBlock:
            return False
        except trio.BrokenResourceError:
            pass  # its reader closed the channel and will close the feed
        return True

    def end(self) -> None:
        """Its reader gets what was pushed, then EndOfChannel."""
        self._send.close()

    async def aclose(self) -> None:
        """Nothing is waited for, so a cancellation costs nothing but the checkpoint."""
        self._leave(self)
        self.end()
        await trio.lowlevel.checkpoint()


@attrs.define(eq=False)
class SessionFeeds:
    """`link` is the session's, `nursery` too: it asks for subscriptions in tasks of its own.

    `rules` judge what is refused, and `throttled` hears of it when the provider wants to be left alone.
    """

    link: WsLink
    nursery: trio.Nursery
    counters: FeedCounters = attrs.field(factory=FeedCounters)
    clock: Callable[[], float] = trio.current_time
    rules: Callable[[], Sequence[ErrorRule]] = tuple
    throttled: Callable[[Refused], None] = lambda refused: None
    _by_params: dict[bytes, Subscription] = attrs.field(factory=dict)
    _by_id: dict[bytes, Subscription] = attrs.field(factory=dict)
    _early: deque[News] = attrs.field(factory=lambda: deque(maxlen=MOST_EARLY))
    _asking: int = 0
    _over: bool = False

    @property
    def open_upstream(self) -> int:
        return len(self._by_id)

    async def open(self, params: bytes) -> KeeperFeed:
        """Raises NotConnected, Refused. Cancelled: nobody is left behind."""
        if self._over:
            raise NotConnected("the session is over")
        subscription = self._by_params.get(params) or self._ask_for(params)
        feed = self._join(subscription)
        try:
            await subscription.settled.wait()
        except BaseException:
            self._leave(subscription, feed)
            raise
        if subscription.failed is not None:
            feed.end()
            raise _again(subscription.failed)
        return feed

    def notify(self, news: News) -> None:
        """Something was read. Never waits."""
        subscription = self._by_id.get(news.subscription)
        if subscription is not None:
            self._spread(subscription, news.result)
        elif self._asking:
            self._early.append(news)
        else:
            self.counters.orphans += 1

    def end(self) -> None:
        """The session is over: every feed ends. Idempotent."""
        self._over = True
        for subscription in list(self._by_params.values()):
            self._fail(subscription, NotConnected("the session was lost"))
            for feed in subscription.consumers:
                feed.end()
        self._by_params.clear()
        self._by_id.clear()

    def farewells(self) -> Iterator[bytes]:
        """The `eth_unsubscribe` requests of all that is open."""
        for id_ in self._by_id:
            yield _unsubscribe(id_)

    # Consumers…

    def _join(self, subscription: Subscription) -> KeeperFeed:
        send, receive = trio.open_memory_channel[Arrival](ROOM)
        feed = KeeperFeed(receive, send, lambda feed: self._leave(subscription, feed))
        subscription.consumers.append(feed)
        return feed

    def _leave(self, subscription: Subscription, feed: KeeperFeed) -> None:
        if feed in subscription.consumers:
            subscription.consumers.remove(feed)
            if not subscription.consumers:
                self._drop(subscription)

    def _spread(self, subscription: Subscription, result: bytes) -> None:
        arrival = Arrival(result, self.clock())
        self.counters.arrivals += 1
        for feed in [feed for feed in subscription.consumers if not feed.push(arrival)]:
            self.counters.overflows += 1
            feed.end()
            self._leave(subscription, feed)

    # Subscriptions…

    def _ask_for(self, params: bytes) -> Subscription:
        subscription = self._by_params[params] = Subscription(params)
        self._asking += 1
        self.nursery.start_soon(self._subscribe, subscription, name=f"subscribe {params[:40]!r}")
        return subscription

    async def _subscribe(self, subscription: Subscription) -> None:
        id_ = next(ids)
        body = encode_request(id_, b'"eth_subscribe"', subscription.params)
        # Heard at once and not when this task comes to run: the first news may be right behind it.
        call = self.link.call(body, hear=lambda message: self._answered(subscription, message, id_))
        try:
            await call.answer_by(trio.current_time() + SUBSCRIBE_S)
        except UpstreamFault as fault:
            self._fail(subscription, NotConnected(f"no answer: {fault.reason}"))
        finally:
            self._asking -= 1
            if not self._asking:
                self.counters.orphans += len(self._early)
                self._early.clear()

    def _answered(self, subscription: Subscription, message: bytes, id_: int) -> None:
        """The provider said yes or no; perhaps after everybody has left."""
        answer = self._read(message, id_)
        if isinstance(answer, Refused):
            self._refused(subscription, answer)
        elif self._by_params.get(subscription.params) is not subscription:
            self.link.post(_unsubscribe(answer))
        else:
            self.counters.subscribed += 1
            subscription.id = answer
            self._by_id[answer] = subscription
            subscription.settled.set()
            self._catch_up(subscription)

    def _refused(self, subscription: Subscription, why: Refused) -> None:
        self.counters.refused += 1
        if why.verdict.kind == "quota":
            self.throttled(why)
        self._fail(subscription, why)

    def _read(self, message: bytes, id_: int) -> bytes | Refused:
        """The JSON text of the id, or what was said instead."""
        try:
            error = check(message, id_).error
            return _subscription_id(message) if error is None else self._refusal(error)
        except BrokenReply as broken:
            return _broken(f"broken reply: {broken.reason}")

    def _refusal(self, error: ErrorObject) -> Refused:
        """Clients and the log are told the provider's words, and some repeat in them the key that they were sent."""
        said = self.link.endpoint.without_keys(error.text.encode("utf-8", "backslashreplace")).decode()
        verdict = classify(200, error.code, error.text, error.data or None, self.rules(), "eth_subscribe")
        return Refused(error.code, said, verdict, retry_after(None, error.data, error.text, 0.0))

    def _catch_up(self, subscription: Subscription) -> None:
        early = [news for news in self._early if news.subscription == subscription.id]
        for news in early:
            self._early.remove(news)
            self._spread(subscription, news.result)

    def _fail(self, subscription: Subscription, why: Refused | NotConnected) -> None:
        if not subscription.settled.is_set():
            subscription.failed = why
            subscription.settled.set()
            self._forget(subscription)

    def _drop(self, subscription: Subscription) -> None:
        """Nobody wants it any more. If its id is not known yet, `_answered` will see that it is gone."""
        self._forget(subscription)
        if subscription.id is not None and not self._over:
            del self._by_id[subscription.id]
            self.link.post(_unsubscribe(subscription.id))

    def _forget(self, subscription: Subscription) -> None:
        if self._by_params.get(subscription.params) is subscription:
            del self._by_params[subscription.params]


def _unsubscribe(id_: bytes) -> bytes:
    return encode_request(next(ids), b'"eth_unsubscribe"', b"[%b]" % id_)


class _Told(msgspec.Struct):
    result: msgspec.Raw


def _subscription_id(message: bytes) -> bytes | Refused:
    try:
        told = bytes(msgspec.json.decode(message, type=_Told).result)
    except (msgspec.DecodeError, RecursionError):
        return _broken("not a subscription id")
    return told if told[:1] == b'"' or told.isdigit() else _broken("not a subscription id")


def _broken(text: str) -> Refused:
    """Who answers like that will answer like that again."""
    return Refused(-32603, text, verdict_for(Category.METHOD_NOT_FOUND))


def _again(why: Refused | NotConnected) -> Refused | NotConnected:
    """For each who waited, one of their own."""
    return Refused(why.code, why.text, why.verdict, why.hint_s) if isinstance(why, Refused) else NotConnected(*why.args)
