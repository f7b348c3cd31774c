"""Who listens, who answers, and what becomes of an ask."""

from __future__ import annotations

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock, wait_all_tasks_blocked

from lasso_trio.workers.frame import MAX_PAYLOAD, Frame, Kind
from lasso_trio.workers.topics import MOST_ANSWERS, BusFault, Topics


class End:
    """Topics whose frames are kept."""

    def __init__(self, room: bool = True) -> None:
        self.sent: list[Frame] = []
        self.room = room
        self.topics = Topics(1, self.send)

    def send(self, frame: Frame) -> bool:
        self.sent.append(frame)
        return self.room


async def test_what_is_told_is_heard_by_who_listens_to_it(nursery: trio.Nursery) -> None:
    end, heard = End(), list[tuple[int, bytes]]()
    end.topics.listen("news", lambda sender, payload: heard.append((sender, payload)))
    end.topics.take(Frame(Kind.TELL, 3, 1, "news", b"x"), nursery)
    end.topics.take(Frame(Kind.TELL, 3, 1, "weather", b"y"), nursery)
    assert heard == [(3, b"x")]


async def test_a_listener_that_raises_is_logged_and_harms_nobody(nursery: trio.Nursery) -> None:
    end = End()

    def fails(_: int, __: bytes) -> None:
        raise ValueError("ouch")

    end.topics.listen("news", fails)
    with capture_logs() as logs:
        end.topics.take(Frame(Kind.TELL, 3, 1, "news", b"x"), nursery)
    assert [(line["event"], line["topic"]) for line in logs] == [("bus.listener_failed", "news")]


def test_a_topic_has_one_listener_and_one_who_answers() -> None:
    end = End()

    async def act(_: int, __: bytes) -> bytes:
        return b""

    end.topics.listen("news", lambda _, __: None)
    end.topics.answer("news", act)
    with pytest.raises(ValueError, match="listens"):
        end.topics.listen("news", lambda _, __: None)
    with pytest.raises(ValueError, match="answers"):
        end.topics.answer("news", act)


async def test_an_ask_is_answered_under_its_number(nursery: trio.Nursery) -> None:
    end = End()

    async def act(sender: int, payload: bytes) -> bytes:
        return payload + b"%d" % sender

    end.topics.answer("sum", act)
    end.topics.take(Frame(Kind.ASK, 3, 1, "sum", b"x", 77), nursery)
    await wait_all_tasks_blocked()
    assert end.sent == [Frame(Kind.ANSWER, 1, 3, "sum", b"x3", 77)]


async def test_who_cannot_answer_refuses_and_says_why(nursery: trio.Nursery) -> None:
    end = End()

    async def breaks(_: int, __: bytes) -> bytes:
        raise ValueError("ouch")

    async def declines(_: int, __: bytes) -> bytes:
        raise BusFault("not today")

    end.topics.answer("breaks", breaks)
    end.topics.answer("declines", declines)
    with capture_logs() as logs:
        for topic in ("breaks", "declines", "unknown"):
            end.topics.take(Frame(Kind.ASK, 3, 1, topic, b"", 1), nursery)
        await wait_all_tasks_blocked()
    told = {frame.topic: frame.payload for frame in end.sent if frame.kind is Kind.REFUSAL}
    assert told == {
        "breaks": b"ValueError: ouch",
        "declines": b"BusFault: not today",
        "unknown": b"nobody answers that",
    }
    assert [line["topic"] for line in logs] == ["breaks"]


async def test_more_asks_than_can_be_kept_are_refused(nursery: trio.Nursery, autojump_clock: MockClock) -> None:
    end = End()

    async def slow(_: int, __: bytes) -> bytes:
        await trio.sleep(1)
        return b"done"

    end.topics.answer("slow", slow)
    for number in range(MOST_ANSWERS + 2):
        end.topics.take(Frame(Kind.ASK, 3, 1, "slow", b"", number), nursery)
    await trio.sleep(2)
    kinds = [frame.kind for frame in end.sent]
    assert (kinds.count(Kind.ANSWER), kinds.count(Kind.REFUSAL)) == (MOST_ANSWERS, 2)
    end.topics.take(Frame(Kind.ASK, 3, 1, "slow", b"", 1), nursery)
    await trio.sleep(2)
    assert end.sent[-1].kind is Kind.ANSWER


async def reply(end: End, nursery: trio.Nursery, kind: Kind, payload: bytes, sender: int = 2) -> None:
    await wait_all_tasks_blocked()
    end.topics.take(Frame(kind, sender, 1, "q", payload, end.sent[0].number), nursery)


async def test_who_asks_gets_the_answer_of_who_was_asked(nursery: trio.Nursery) -> None:
    end = End()
    nursery.start_soon(reply, end, nursery, Kind.ANSWER, b"forged", 5)
    nursery.start_soon(reply, end, nursery, Kind.ANSWER, b"yes")
    assert await end.topics.ask("q", b"?", 2, 5) == b"yes"
    end.topics.take(Frame(Kind.ANSWER, 2, 1, "q", b"late", end.sent[0].number), nursery)


async def test_an_ask_that_is_refused_unheard_lost_or_finds_no_room_is_a_fault(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    end = End()
    nursery.start_soon(reply, end, nursery, Kind.REFUSAL, b"no")
    with pytest.raises(BusFault, match="q: no"):
        await end.topics.ask("q", b"?", 2, 5)
    with pytest.raises(BusFault, match=r"no answer from 2 within 0\.5 s"):
        await end.topics.ask("q", b"?", 2, 0.5)
    with pytest.raises(BusFault, match="no room"):
        await End(room=False).topics.ask("q", b"?", 2, 0.5)


async def test_asks_of_who_is_gone_end_at_once_and_others_go_on(nursery: trio.Nursery) -> None:
    end, told = End(), list[str]()

    async def ask(to: int) -> None:
        try:
            await end.topics.ask("q", b"?", to, 60)
        except BusFault as fault:
            told.append(str(fault))

    nursery.start_soon(ask, 2)
    nursery.start_soon(ask, 3)
    await wait_all_tasks_blocked()
    end.topics.lose(2)
    await wait_all_tasks_blocked()
    assert told == ["q: 2 is gone"]
    end.topics.lose()
    await wait_all_tasks_blocked()
    assert told == ["q: 2 is gone", "q: 3 is gone"]


async def test_an_answer_that_no_frame_can_hold_is_a_refusal(nursery: trio.Nursery) -> None:
    end = End()

    async def act(_: int, __: bytes) -> bytes:
        return bytes(MAX_PAYLOAD + 1)

    end.topics.answer("page", act)
    end.topics.take(Frame(Kind.ASK, 3, 1, "page", b"", 7), nursery)
    await wait_all_tasks_blocked()
    (answer,) = end.sent
    assert (answer.kind, answer.number) == (Kind.REFUSAL, 7)
    assert b"too large" in answer.payload


async def test_an_answer_to_who_had_this_place_before_is_nobodys(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    gone, end = End(), End()
    for each in (gone, end):
        nursery.start_soon(refused, each, "3 within")
    await wait_all_tasks_blocked()
    end.topics.take(Frame(Kind.ANSWER, 3, 1, "read", b"of another", gone.sent[0].number), nursery)


async def refused(end: End, why: str) -> None:
    with pytest.raises(BusFault, match=why):
        await end.topics.ask("read", b"", 3, 1.0)
