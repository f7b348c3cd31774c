"""One call over a link, step by step; the outbox is emptied and the answers handed in by hand."""

from __future__ import annotations

from math import inf

import pytest
import trio

from lasso_trio.config.secret import SecretUrl
from lasso_trio.upstream.alarm import Alarm
from lasso_trio.upstream.faults import Disconnected, PoolFull
from lasso_trio.upstream.websocket import ws_endpoint
from lasso_trio.upstream.ws_link import MOST_CALLS, WsLink
from tests.upstream.test_ws_link import answer, request, sent


@pytest.fixture
def link() -> WsLink:
    return WsLink(ws_endpoint(SecretUrl("wss://node.example/v3/0123456789abcdef0123456789abcdef"), {}))


async def test_a_call_in_steps_can_be_waited_for_again(autojump_clock: object, link: WsLink) -> None:
    call = link.call(request(1), replay_safe=False)
    assert await call.quick_answer(Alarm(), inf) is None
    assert await call.answer_till(trio.current_time() + 1) is None
    assert await sent(link) == request(1)
    assert call.sent
    link.answered(1, answer(1))
    assert (await call.answer_by(inf)).body == answer(1)
    call.abandon()
    assert "over" in repr(call)


async def test_waiting_that_is_cancelled_abandons_the_call(autojump_clock: object, link: WsLink) -> None:
    for wait in (link.call(request(1)).answer_by, link.call(request(2)).answer_till):
        with trio.move_on_after(1):
            await wait(inf)
        assert link.busy == 0


async def test_who_hears_is_told_at_once_and_even_when_nobody_waits_any_more(link: WsLink) -> None:
    heard: list[bytes] = []
    kept, left = link.call(request(1), hear=heard.append), link.call(request(2), hear=heard.append)
    for call in (kept, left):
        call.post()
        await sent(link)
    left.abandon()
    link.answered(1, answer(1))
    link.answered(2, answer(2))
    assert heard == [answer(1), answer(2)]
    assert (link.counters.answers, link.counters.late) == (1, 1)


async def test_a_shown_link_and_its_calls_hold_no_key(link: WsLink) -> None:
    call = link.call(request(1))
    assert (repr(link), repr(call)) == ("<WsLink wss://node.example busy=0>", "<WsCall 1 begun>")
    call.post()
    assert repr(call) == "<WsCall 1 waiting>"
    await sent(link)
    assert repr(call) == "<WsCall 1 sent>"


async def test_a_call_that_the_link_refuses_is_not_counted_when_it_is_given_up(link: WsLink) -> None:
    for id_ in range(1, MOST_CALLS + 1):
        link.call(request(id_)).post()
    for id_ in range(MOST_CALLS + 1, MOST_CALLS + 4):
        with pytest.raises(PoolFull):
            await link.call(request(id_)).answer_by(inf)
    assert link.busy == MOST_CALLS
    link.lose(Disconnected("reset"))
    with pytest.raises(Disconnected):
        link.call(request(9999)).post()
    assert link.busy == 0


async def test_given_up_it_is_over_once_and_for_all(link: WsLink) -> None:
    call = link.call(request(1))
    call.abandon()
    assert not call.over
    call.post()
    call.post()
    call.abandon()
    call.abandon()
    assert (call.over, link.busy, link.counters.calls) == (True, 0, 1)
    call.lose(Disconnected("reset"))
    link.answered(1, answer(1))
    assert link.counters.stray == 1
