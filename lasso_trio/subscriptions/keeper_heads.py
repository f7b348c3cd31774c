"""How a keeper knows that its provider is awake, and what it tells the instance's head meanwhile.

    newHeads ─► each one tells the head ─► none for `timeout_s` ─► does the chain stand still? ─┬─ yes: listen on
                                                                                               └─ no: "silent"
    refused, or not wanted ─► `eth_blockNumber` every `poll_s` ─► two without an answer ─► "silent"
                              └─ refused for now: asked for again after a minute, or when the provider said

Data counts and pings do not: a balancer answers pings for a node that is gone. A lag is known as soon as a block is
told, not at the next poll.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from typing import Final, NoReturn

import attrs
import msgspec
import structlog
import trio

from lasso_trio.config.profile import ErrorRule
from lasso_trio.jsonrpc.reply import encode_request
from lasso_trio.providers.branch import Header
from lasso_trio.providers.head import Head
from lasso_trio.providers.probe_answer import Kind, ProbeAnswer, failure, read
from lasso_trio.providers.probe_schedule import Question
from lasso_trio.providers.verdict import Category
from lasso_trio.subscriptions.feed import Feed, NotConnected, Refused
from lasso_trio.subscriptions.header import BadHeader, of_event
from lasso_trio.subscriptions.session_feeds import SessionFeeds, ids
from lasso_trio.upstream.faults import Expired, UpstreamFault
from lasso_trio.upstream.websocket import Ending, Over
from lasso_trio.upstream.ws_link import WsLink

log = structlog.get_logger(__name__)

NEW_HEADS: Final = b'["newHeads"]'
ASK_S: Final = 5.0
LATE_S: Final = 1.0
"""News of one block reach the providers within about so long: who is behind by it does not lag."""
MOST_MISSES: Final = 2
AGAIN_S: Final = 60.0
_HIGHEST: Final = 1 << 63


@attrs.frozen
class Terms:
    """Of the profiles that name an instance. `new_heads`: listen to them; `timeout_s`: so long may nothing be told.

    `poll_s`: between two looks where there is nothing to listen to. `error_rules`: what its errors mean.
    """

    new_heads: bool = True
    timeout_s: float = 42.0
    poll_s: float = 12.0
    error_rules: tuple[ErrorRule, ...] = ()


class _Header(msgspec.Struct, gc=False):
    number: str
    timestamp: str


_decode: Final = msgspec.json.Decoder(_Header).decode


def read_header(result: bytes) -> tuple[int, int] | None:
    """Height and Unix time of a block's header; None for what is none."""
    try:
        header = _decode(result)
        height, time = int(header.number, 16), int(header.timestamp, 16)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return (height, time) if 0 <= height < _HIGHEST and time >= 0 else None


async def ask(
    link: WsLink, question: Question, wall: Callable[[], float], rules: Sequence[ErrorRule] = ()
) -> ProbeAnswer:
    """One question over the socket. Never raises but Cancelled."""
    id_, (method, params) = next(ids), question.call
    try:
        reply = await link.exchange(
            encode_request(id_, method, params), replay_safe=True, until=trio.current_time() + ASK_S
        )
    except Expired as fault:
        return failure(Category.TIMEOUT, str(fault))
    except UpstreamFault as fault:
        return failure(Category.LOCAL_CAPACITY if fault.local else Category.NETWORK_ERROR, str(fault))
    return read(question, 200, link.endpoint.without_keys(reply.body), id_, wall(), rules=rules)


@attrs.define(eq=False)
class HeadWatch:
    """Of one session. `instance_id` is for the log. `alone`: nobody else looks at the head, so it is polled as well:
    a height counts only while it is fresh, and news may be lost.
    """

    instance_id: str
    head: Head
    terms: Callable[[], Terms]
    link: WsLink
    feeds: SessionFeeds
    wall: Callable[[], float]
    alone: bool = False
    _highest: int = -1
    _heard_at: float = 0.0
    _again_at: float = inf
    """When to ask once more for news of heads, which were refused for now."""

    async def run(self) -> NoReturn:
        """Until cancelled. Raises Over when the provider does not tell what it should."""
        try:
            while True:
                self._again_at = inf  # a reload may want no news any more, and what is over would be now for ever
                feed = await self._subscribe() if self.terms().new_heads else None
                with trio.move_on_at(inf if feed is not None else self._again_at):
                    await self._watch(feed)
        finally:
            self.head.lose()

    async def _watch(self, feed: Feed | None) -> None:
        async with trio.open_nursery() as nursery:
            if feed is not None:
                nursery.start_soon(self._listen, feed, name="new heads")
            if feed is None or self.alone:
                nursery.start_soon(self._poll, feed is not None, name="head poll")

    async def _subscribe(self) -> Feed | None:
        try:
            return await self.feeds.open(NEW_HEADS)
        except Refused as refused:
            log.info("keeper.no_new_heads", instance=self.instance_id, said=str(refused))
            wait_s = inf if refused.lasts else max(AGAIN_S, refused.hint_s or 0.0)
            self._again_at = trio.current_time() + wait_s
            return None
        except NotConnected as fault:
            raise Over(Ending("mute", text=str(fault), opened=True)) from None

    async def _listen(self, feed: Feed) -> NoReturn:
        self._heard_at = trio.current_time()
        while True:
            with trio.CancelScope(deadline=self._heard_at + self.terms().timeout_s):
                try:
                    arrival = await feed.arrivals.receive()
                except trio.EndOfChannel:
                    raise Over(Ending("lost", text="the newHeads feed ended", opened=True)) from None
                self._tell(arrival.result, arrival.at)
                continue
            await self._explain_silence()

    def _tell(self, result: bytes, at: float) -> None:
        told = read_header(result)
        if told is not None:
            height, time = told
            self._highest, self._heard_at = height, at
            self.head.tell(height, at, LATE_S, self.wall() - time)
        if self.head.branches:
            with suppress(BadHeader):
                header = of_event(result)
                self.head.hear(Header(header.number, header.hash, header.parent), at)

    async def _explain_silence(self) -> None:
        """A chain that stands still is no fault of who tells of it. Raises Over when it does not."""
        answer = await ask(self.link, Question.HEIGHT, self.wall, self.terms().error_rules)
        stands = answer.kind is Kind.GOOD and answer.number is not None and answer.number <= self._highest
        if not stands:
            raise Over(Ending("silent", text=answer.words or f"block {answer.number} was not told", opened=True))
        self._heard_at = trio.current_time()

    async def _poll(self, listening: bool) -> NoReturn:
        misses = 0
        while True:
            answer = await ask(self.link, Question.HEIGHT, self.wall, self.terms().error_rules)
            if answer.kind is Kind.GOOD and answer.number is not None:
                self.head.tell(answer.number, trio.current_time(), LATE_S if listening else self.terms().poll_s)
            misses = misses + 1 if answer.kind is Kind.FAILED else 0
            if misses >= MOST_MISSES:
                raise Over(Ending("silent", text=answer.words, opened=True))
            await trio.sleep(self.terms().poll_s)
