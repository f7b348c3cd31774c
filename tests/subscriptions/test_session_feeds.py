"""Who shares an upstream subscription, and when it ends; without a socket."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from lasso_trio.config.profile import ErrorRule
from lasso_trio.config.secret import SecretUrl
from lasso_trio.subscriptions import session_feeds
from lasso_trio.subscriptions.feed import Arrival, NotConnected, Refused
from lasso_trio.subscriptions.session_feeds import KeeperFeed, SessionFeeds
from lasso_trio.upstream.faults import Disconnected
from lasso_trio.upstream.websocket import ws_endpoint
from lasso_trio.upstream.ws_link import WsLink
from lasso_trio.upstream.ws_message import News

HEADS = b'["newHeads"]'
LOGS = b'["logs",{}]'


@attrs.define(eq=False)
class Table:
    """The feeds of a session and, at the other end, whoever answers its requests."""

    nursery: trio.Nursery
    link: WsLink = attrs.field(factory=lambda: WsLink(ws_endpoint(SecretUrl("ws://a/"), {})))
    feeds: SessionFeeds = attrs.field(init=False)
    opened: list[KeeperFeed] = attrs.field(factory=list)
    failed: list[Exception] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.feeds = SessionFeeds(self.link, self.nursery)

    async def open(self, params: bytes = HEADS) -> None:
        """Start opening; what came of it is in `opened` or `failed`."""

        async def opening() -> None:
            try:
                self.opened.append(await self.feeds.open(params))
            except (NotConnected, Refused) as fault:
                self.failed.append(fault)

        self.nursery.start_soon(opening)
        await trio.testing.wait_all_tasks_blocked()

    async def asked(self) -> dict[str, Any]:
        with trio.fail_after(1):
            request: dict[str, Any] = json.loads(await self.link.next_request())
        return request

    async def idle(self) -> bool:
        with trio.move_on_after(0.1):
            await self.link.next_request()
            return False
        return True

    async def answer(self, request: dict[str, Any], **answer: Any) -> None:  # noqa: ANN401
        text = json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer}).encode()
        self.link.answered(request["id"], text)
        await trio.testing.wait_all_tasks_blocked()

    async def subscribed(self, params: bytes = HEADS, id_: str = "0x1") -> KeeperFeed:
        await self.open(params)
        await self.answer(await self.asked(), result=id_)
        return self.opened[-1]

    def tell(self, result: bytes, id_: str = "0x1") -> None:
        self.feeds.notify(News(json.dumps(id_).encode(), result))


def unread(feed: KeeperFeed) -> list[bytes]:
    """What can be read without waiting; the last is b"end" if the feed has ended."""
    got: list[bytes] = []
    while True:
        try:
            got.append(feed.arrivals.receive_nowait().result)
        except trio.WouldBlock:
            return got
        except trio.EndOfChannel:
            return [*got, b"end"]


@pytest.fixture
def table(nursery: trio.Nursery) -> Table:
    return Table(nursery)


async def test_equal_parameters_share_one_subscription(autojump_clock: object, table: Table) -> None:
    await table.open()
    await table.open()
    request = await table.asked()
    assert (request["method"], request["params"]) == ("eth_subscribe", ["newHeads"])
    await table.answer(request, result="0x1")
    await table.open()
    assert len(table.opened) == 3
    assert await table.idle()
    table.tell(b"1")
    assert [unread(feed) for feed in table.opened] == [[b"1"]] * 3
    assert (table.feeds.open_upstream, table.feeds.counters.subscribed, table.feeds.counters.arrivals) == (1, 1, 1)


async def test_the_last_to_leave_unsubscribes_without_waiting(autojump_clock: object, table: Table) -> None:
    first = await table.subscribed()
    await table.open()
    await first.aclose()
    await first.aclose()
    assert await table.idle()
    await table.opened[1].aclose()
    request = await table.asked()
    assert (request["method"], request["params"]) == ("eth_unsubscribe", ["0x1"])
    await table.answer(request, result=True)
    table.tell(b"late")
    assert (unread(first), table.feeds.counters.orphans, table.link.busy) == ([b"end"], 1, 0)


async def test_other_parameters_are_another_subscription(autojump_clock: object, table: Table) -> None:
    heads, logs = await table.subscribed(), await table.subscribed(LOGS, "0x2")
    table.tell(b"head")
    table.tell(b"log", "0x2")
    assert (unread(heads), unread(logs)) == ([b"head"], [b"log"])
    assert [json.loads(text)["params"] for text in table.feeds.farewells()] == [["0x1"], ["0x2"]]


async def test_news_that_overtake_their_subscriptions_id_are_kept_for_it(autojump_clock: object, table: Table) -> None:
    await table.open()
    request = await table.asked()
    table.tell(b"early")
    table.tell(b"somebody else's", "0x9")
    await table.answer(request, result="0x1")
    table.tell(b"next")
    assert unread(table.opened[0]) == [b"early", b"next"]
    assert table.feeds.counters.orphans == 1


async def test_a_refusal_is_told_to_everybody_and_the_next_one_asks_again(autojump_clock: object, table: Table) -> None:
    await table.open()
    await table.open()
    await table.answer(await table.asked(), error={"code": -32601, "message": "no such thing"})
    assert [(fault.code, fault.text) for fault in table.failed if isinstance(fault, Refused)] == [
        (-32601, "no such thing")
    ] * 2
    assert table.failed[0] is not table.failed[1]
    assert await table.subscribed() is not None
    assert table.feeds.counters.refused == 1


async def test_a_refusal_is_told_without_our_key(autojump_clock: object, nursery: trio.Nursery) -> None:
    key = "0123456789abcdef0123456789abcdef"
    table = Table(nursery, WsLink(ws_endpoint(SecretUrl(f"wss://a/v3/{key}"), {})))
    await table.open()
    await table.answer(await table.asked(), error={"code": -32005, "message": f"project {key} is out of credits"})
    assert [str(fault) for fault in table.failed] == ["-32005: project *** is out of credits"]


async def test_a_refusal_is_judged_by_the_rules_and_what_is_a_quota_is_told_once(
    autojump_clock: object, table: Table
) -> None:
    throttled: list[Refused] = []
    table.feeds.throttled = throttled.append
    table.feeds.rules = lambda: (ErrorRule("rate_limit", code=-32099),)
    await table.open()
    await table.open()
    error = {"code": -32099, "message": "hush", "data": {"rate": {"backoff_seconds": 12}}}
    await table.answer(await table.asked(), error=error)
    assert [(why.lasts, why.hint_s) for why in table.failed if isinstance(why, Refused)] == [(False, 12.0)] * 2
    assert [why.hint_s for why in throttled] == [12.0]
    await table.open()
    await table.answer(await table.asked(), error={"code": -32601, "message": "no such thing"})
    assert len(throttled) == 1


@pytest.mark.parametrize("result", [True, None, {}, ["0x1"]])
async def test_what_is_no_id_is_a_refusal(autojump_clock: object, table: Table, result: object) -> None:
    await table.open()
    await table.answer(await table.asked(), result=result)
    assert isinstance(table.failed[0], Refused)


async def test_a_broken_answer_is_a_refusal(autojump_clock: object, table: Table) -> None:
    await table.open()
    request = await table.asked()
    await table.answer(request, result="0x1", error={"code": 1, "message": "both"})
    assert "broken" in str(table.failed[0])


async def test_who_does_not_answer_is_not_waited_for(autojump_clock: object, table: Table) -> None:
    await table.open()
    request = await table.asked()
    await trio.sleep(session_feeds.SUBSCRIBE_S + 1)
    assert isinstance(table.failed[0], NotConnected)
    await table.answer(request, result="0x1")
    assert (await table.asked())["method"] == "eth_unsubscribe"


async def test_a_subscription_that_nobody_waits_for_any_more_ends_when_it_is_known(
    autojump_clock: object, table: Table
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(table.feeds.open, HEADS)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    await table.open()  # somebody else wants it: that is another one
    first, second = await table.asked(), await table.asked()
    await table.answer(first, result="0x1")
    await table.answer(second, result="0x2")
    assert (await table.asked())["params"] == ["0x1"]
    table.tell(b"2", "0x2")
    assert unread(table.opened[0]) == [b"2"]


async def test_who_does_not_read_ends_alone_and_is_counted(
    autojump_clock: object, monkeypatch: pytest.MonkeyPatch, table: Table
) -> None:
    monkeypatch.setattr(session_feeds, "ROOM", 2)
    lazy = await table.subscribed()
    await table.open()
    for number in range(3):
        table.tell(b"%d" % number)
        assert table.opened[1].arrivals.receive_nowait() == Arrival(b"%d" % number, trio.current_time())
    assert unread(lazy) == [b"0", b"1", b"end"]
    assert (table.feeds.counters.overflows, table.feeds.open_upstream) == (1, 1)


async def test_a_reader_that_closed_its_end_only_is_no_accident(autojump_clock: object, table: Table) -> None:
    feed = await table.subscribed()
    feed.arrivals.close()
    table.tell(b"1")
    await feed.aclose()
    assert (await table.asked())["method"] == "eth_unsubscribe"


async def test_with_the_session_all_feeds_end(autojump_clock: object, table: Table) -> None:
    heads = await table.subscribed()
    await table.open(LOGS)
    table.tell(b"1")
    table.feeds.end()
    table.feeds.end()
    table.link.lose(Disconnected("closed"))
    await trio.testing.wait_all_tasks_blocked()
    assert (unread(heads), type(table.failed[0])) == ([b"1", b"end"], NotConnected)
    await heads.aclose()
    with pytest.raises(NotConnected):
        await table.feeds.open(HEADS)


async def test_leaving_a_lost_link_is_no_accident(autojump_clock: object, table: Table) -> None:
    heads = await table.subscribed()
    table.link.lose(Disconnected("closed"))
    await heads.aclose()
    assert unread(heads) == [b"end"]
