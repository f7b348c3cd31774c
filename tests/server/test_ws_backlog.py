"""What may wait, and for how long it may be too much."""

from __future__ import annotations

from sys import getrefcount

import trio

from lasso_trio.server.ws_backlog import BURST_S, Backlog, Waiting
from lasso_trio.server.ws_limits import WsCounters, WsLimits
from lasso_trio.subscriptions.fanout import BURST, REPLAYED


def made(**limits: int) -> Backlog:
    return Backlog(WsLimits(**limits), WsCounters())  # type: ignore[arg-type]


def written(backlog: Backlog, most: int = 2**62) -> bytes:
    return b"".join(waiting.frame for waiting in backlog.take(most))


def test_what_waits_comes_out_in_its_order_as_much_as_may_be_written_together_or_one() -> None:
    backlog = made()
    for frame in (b"aaaa", b"b", b"c", b"dddd"):
        assert backlog.keep(frame, None, 0)
    assert [written(backlog, 3) for _ in range(4)] == [b"aaaa", b"bc", b"dddd", b""]
    assert repr(backlog) == "<Backlog 0 frames, 0 + 0 bytes>"


def test_answers_are_never_refused_and_take_no_room() -> None:
    backlog = made(queue_messages=1)
    for _ in range(3):
        backlog.add(Waiting(b"answer", written=trio.Event()))
    assert backlog.keep(b"event", None, 0)
    assert not backlog.keep(b"event", None, 0)
    assert len(backlog) == 4


def test_all_of_a_burst_may_wait_and_what_follows_has_the_ordinary_room() -> None:
    backlog = made(queue_messages=2, queue_bytes=10)
    assert all(backlog.keep(b"burst", BURST, 0) for _ in range(100))
    assert backlog.keep(b"after", None, 0)
    assert backlog.keep(b"head", "heads", 0)
    assert not backlog.keep(b"!", None, 0)
    assert written(backlog) == b"burst" * 100 + b"after" + b"head"
    assert repr(backlog) == "<Backlog 0 frames, 0 + 0 bytes>"


def test_bursts_of_one_moment_may_wait_together_and_a_later_one_has_the_ordinary_room_until_they_are_out() -> None:
    backlog = made(queue_messages=1)
    assert all(backlog.keep(b"b", BURST, 5.0) for _ in range(3))
    assert backlog.keep(b"b", BURST, 5.0 + BURST_S)
    assert [backlog.keep(b"b", BURST, 5.1 + BURST_S) for _ in range(2)] == [True, False]
    assert written(backlog) == b"bbbbb"
    assert all(backlog.keep(b"b", BURST, 9.0) for _ in range(3))
    assert backlog.keep(b"b", None, 9.0)


def test_bursts_and_replays_have_a_bound_of_their_own_together() -> None:
    backlog = made(queue_messages=0, max_held_bytes=10)
    assert backlog.keep(b"1234", BURST, 0)
    assert backlog.keep(b"1234", REPLAYED, 0)
    assert not backlog.keep(b"1234", BURST, 0)
    assert not backlog.keep(b"1234", REPLAYED, 0)
    assert backlog.keep(b"12", REPLAYED, 0)


def test_what_was_replaced_is_not_written_and_has_made_room() -> None:
    backlog = made(queue_messages=1)
    assert all(backlog.keep(b"%d" % n, "heads", 0) for n in range(3))
    assert not backlog.keep(b"log", None, 0)
    assert written(backlog) == b"2"
    assert backlog.keep(b"log", None, 0)


def test_what_was_replaced_is_not_held_either() -> None:
    backlog = made()
    backlog.add(Waiting(b"answer", written=trio.Event()))
    for n in range(1000):
        assert backlog.keep(b"%d" % n, "heads", 0)
        assert len(backlog) <= 4  # as many places again as there is to be written
    assert written(backlog) == b"answer999"


def test_places_are_left_alone_until_they_are_more_than_half_again() -> None:
    backlog = made()
    assert all(backlog.keep(b"head", "heads", 0) for _ in range(3))
    assert len(backlog) == 1
    assert all(backlog.keep(b"log", None, 0) for _ in range(2))
    assert backlog.keep(b"head", "heads", 0)
    assert len(backlog) == 4


def test_the_frame_of_what_was_replaced_goes_before_its_place_does() -> None:
    backlog, older = made(), bytes(1000)
    ours = getrefcount(older)
    for frame in (b"log", older, b"head"):
        assert backlog.keep(frame, None if frame == b"log" else "heads", 0)
    assert len(backlog) == 3
    assert getrefcount(older) == ours


def test_places_of_what_was_replaced_are_counted_as_they_are_reached() -> None:
    backlog = made()
    assert all(backlog.keep(b"head", "heads", 0) and backlog.keep(b"log", None, 0) for _ in range(3))
    assert written(backlog, 6) == b"loglog"
    assert written(backlog) == b"headlog"
    assert all(backlog.keep(b"head", "heads", 0) and backlog.keep(b"log", None, 0) for _ in range(3))
    assert len(backlog) == 6
    assert written(backlog) == b"loglogheadlog"


def test_what_is_given_up_is_told_and_waits_no_more() -> None:
    backlog = made(queue_messages=1)
    answer = Waiting(b"answer", written=trio.Event())
    backlog.add(answer)
    backlog.keep(b"event", None, 0)
    assert answer in backlog.give_up()
    assert not backlog
    assert backlog.keep(b"event", None, 0)
