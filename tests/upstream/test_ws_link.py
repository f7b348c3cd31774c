"""Calls over one WebSocket, without a socket: what is sent is taken from the outbox, what comes back is handed in."""

from __future__ import annotations

from functools import partial
from math import inf

import pytest
import trio
import trio.testing

from lasso_trio.config.secret import SecretUrl
from lasso_trio.upstream import ws_link
from lasso_trio.upstream.faults import Disconnected, Expired, PoolFull
from lasso_trio.upstream.reply import Reply
from lasso_trio.upstream.websocket import ws_endpoint
from lasso_trio.upstream.ws_link import WsCall, WsLink

ENDPOINT = ws_endpoint(SecretUrl("wss://node.example/v3/0123456789abcdef0123456789abcdef"), {})


def request(id_: int) -> bytes:
    return b'{"jsonrpc":"2.0","id":%d,"method":"eth_blockNumber","params":[]}' % id_


def answer(id_: int) -> bytes:
    return b'{"jsonrpc":"2.0","id":%d,"result":"0x%x"}' % (id_, id_)


@pytest.fixture
def link() -> WsLink:
    return WsLink(ENDPOINT)


async def sent(link: WsLink) -> bytes:
    with trio.fail_after(1):
        return await link.next_request()


async def test_answers_find_their_callers_in_any_order(nursery: trio.Nursery, link: WsLink) -> None:
    got: dict[int, bytes] = {}

    async def ask(id_: int) -> None:
        reply = await link.exchange(request(id_), replay_safe=True)
        got[id_] = reply.body
        assert (reply.status, reply.headers, reply.rest, reply.content_length) == (200, [], None, None)

    for id_ in (1, 2, 3):
        nursery.start_soon(ask, id_)
        await trio.testing.wait_all_tasks_blocked()
        assert await sent(link) == request(id_)
    assert link.busy == 3
    for id_ in (2, 3, 1):
        link.answered(id_, answer(id_))
    await trio.testing.wait_all_tasks_blocked()
    assert got == {id_: answer(id_) for id_ in (1, 2, 3)}
    assert (link.busy, link.counters.answers, link.counters.stray) == (0, 3, 0)


async def test_a_deadline_tells_whether_the_request_had_gone_out(autojump_clock: object, link: WsLink) -> None:
    with pytest.raises(Expired) as unsent:
        await link.exchange(request(1), replay_safe=True, until=trio.current_time() + 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sent, link)
        with pytest.raises(Expired) as late:
            await link.exchange(request(2), replay_safe=True, until=trio.current_time() + 1)
    assert (unsent.value.dispatched, late.value.dispatched) == (False, True)
    assert "wss://node.example" in str(late.value)
    assert link.busy == 0


async def test_a_late_answer_is_dropped_and_known_for_one(autojump_clock: object, link: WsLink) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(sent, link)
        with trio.move_on_after(1):
            await link.exchange(request(1), replay_safe=True)
    link.answered(1, answer(1))
    link.answered(1, answer(1))
    assert (link.counters.late, link.counters.stray, link.counters.answers) == (1, 1, 0)


async def test_who_is_cancelled_before_it_was_sent_is_not_sent(autojump_clock: object, link: WsLink) -> None:
    with trio.move_on_after(1):
        await link.exchange(request(1), replay_safe=True)
    call = link.call(request(2))
    call.post()
    assert await sent(link) == request(2)
    assert call.sent


async def test_what_is_late_is_given_back_as_a_call(autojump_clock: object, link: WsLink) -> None:
    ask = partial(link.ask, replay_safe=True, gzip=False)
    call = await ask(request(1), until=trio.current_time() + 10, late=trio.current_time() + 1)
    assert isinstance(call, WsCall)
    await sent(link)
    link.answered(1, answer(1))
    assert (await call.answer_by(trio.current_time() + 1)).body == answer(1)
    with pytest.raises(Expired):
        await ask(request(2), until=trio.current_time() + 1, late=inf)


async def test_what_is_answered_in_time_is_a_reply(nursery: trio.Nursery, link: WsLink) -> None:
    async def provider() -> None:
        await sent(link)
        link.answered(1, answer(1))

    nursery.start_soon(provider)
    now = trio.current_time()
    reply = await link.ask(request(1), replay_safe=True, gzip=True, until=now + 10, late=now + 5)
    assert isinstance(reply, Reply)


async def test_the_sessions_end_fails_all_calls_each_by_what_became_of_it(nursery: trio.Nursery, link: WsLink) -> None:
    faults: dict[int, Disconnected] = {}

    async def ask(id_: int) -> None:
        with pytest.raises(Disconnected) as lost:
            await link.exchange(request(id_), replay_safe=True)
        faults[id_] = lost.value

    nursery.start_soon(ask, 1)
    await trio.testing.wait_all_tasks_blocked()
    await sent(link)
    nursery.start_soon(ask, 2)
    await trio.testing.wait_all_tasks_blocked()
    link.lose(Disconnected("closed", "the session ended"))
    link.lose(Disconnected("again"))
    await trio.testing.wait_all_tasks_blocked()
    assert {id_: (fault.reason, fault.dispatched, fault.local) for id_, fault in faults.items()} == {
        1: ("closed", True, False),
        2: ("closed", False, False),
    }
    with pytest.raises(Disconnected) as after:
        await link.exchange(request(3), replay_safe=True)
    assert (after.value.dispatched, after.value.local) == (False, True)
    assert "lost" in repr(link)


async def test_an_error_without_an_id_is_the_only_calls(link: WsLink) -> None:
    complaint = b'{"jsonrpc":"2.0","error":{"code":429,"message":"slow down"},"id":null}'
    first, second = link.call(request(1)), link.call(request(2))
    first.post()
    second.post()
    link.complained(complaint)
    assert (first.over, second.over) == (False, False)
    link.answered(2, answer(2))
    link.complained(complaint)
    assert (await first.answer()).body == complaint
    assert link.counters.complaints == 2


async def test_an_abandoned_call_may_be_the_one_that_is_complained_about(link: WsLink) -> None:
    gone, here = link.call(request(1)), link.call(request(2))
    gone.post()
    await sent(link)
    gone.abandon()
    here.post()
    link.complained(b"{}")
    assert not here.over


async def test_no_more_calls_are_taken_than_a_provider_can_be_trusted_with(
    monkeypatch: pytest.MonkeyPatch, link: WsLink
) -> None:
    monkeypatch.setattr(ws_link, "MOST_CALLS", 1)
    link.call(request(1)).post()
    with pytest.raises(PoolFull) as full:
        await link.exchange(request(2), replay_safe=True)
    assert full.value.local


async def test_answers_that_never_come_are_forgotten_the_oldest_first(
    monkeypatch: pytest.MonkeyPatch, link: WsLink
) -> None:
    monkeypatch.setattr(ws_link, "MOST_FORGOTTEN", 1)
    for id_ in (1, 2):
        call = link.call(request(id_))
        call.post()
        await sent(link)
        call.abandon()
        call.abandon()
    link.answered(1, answer(1))
    link.answered(2, answer(2))
    assert (link.counters.stray, link.counters.late) == (1, 1)


async def test_an_answer_to_something_else_cuts_the_session() -> None:
    cuts: list[str] = []
    link = WsLink(ENDPOINT, cut=cuts.append)
    call = link.call(request(1))
    call.post()
    link.answered(1, answer(5))
    link.distrust(await call.answer())
    assert cuts == ["distrusted"]


async def test_it_keeps_house_as_a_pool_does(link: WsLink) -> None:
    call = link.call(request(1))
    call.post()
    link.expire(5.0)
    link.wind_down()
    assert (link.leaving, link.busy, link.waiting) == (True, 1, 0)
    await link.aclose()
    await link.aclose()
    with pytest.raises(Disconnected) as closed:
        await call.answer()
    assert closed.value.local


async def test_what_is_posted_is_sent_in_its_turn_and_waited_for_by_nobody(link: WsLink) -> None:
    link.call(request(1)).post()
    link.post(request(2))
    assert [await sent(link), await sent(link)] == [request(1), request(2)]
    assert link.busy == 1
    link.answered(2, answer(2))
    assert link.counters.late == 1
    link.lose(Disconnected("closed"))
    link.post(request(3))
    with trio.move_on_after(0):
        raise AssertionError(await link.next_request())
