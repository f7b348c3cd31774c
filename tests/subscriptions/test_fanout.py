from __future__ import annotations

import json

import attrs
import msgspec
import trio
from trio.testing import wait_all_tasks_blocked
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage

from lasso_trio.subscriptions.fanout import BURST, PIECE, REPLAYED, Fanout
from lasso_trio.subscriptions.slices import SLICE, Slices
from tests.subscriptions.simulated import messages_of


@attrs.define(eq=False)
class Listener:
    wants_gaps: bool = True
    frames: list[bytes] = attrs.field(factory=list)
    topics: list[object | None] = attrs.field(factory=list)

    def send_frame(self, frame: bytes, topic: object | None) -> None:
        self.frames.append(frame)
        self.topics.append(topic)

    @property
    def heard(self) -> list[object]:
        """`(method, subscription, result)` of each message."""
        return [said(frame) for frame in self.frames]


def said(frame: bytes) -> tuple[str, str, object]:
    (event,) = Connection(ConnectionType.CLIENT, trailing_data=frame).events()
    assert isinstance(event, TextMessage)
    message = msgspec.json.decode(event.data)
    assert message["jsonrpc"] == "2.0"
    return message["method"], message["params"]["subscription"], message["params"]["result"]


def joined(fanout: Fanout, member: Listener) -> str:
    id_ = fanout.reserve(member)
    fanout.activate(member, id_)
    return id_


def test_an_id_is_0x_and_32_hex_digits() -> None:
    id_ = Fanout("heads").reserve(Listener())
    assert id_.startswith("0x")
    assert len(bytes.fromhex(id_[2:])) == 16


def test_sockets_of_one_stream_share_their_frames() -> None:
    fanout, one, other = Fanout("heads"), Listener(), Listener()
    assert joined(fanout, one) == joined(fanout, other)
    fanout.publish(b'{"number":"0x1"}')
    assert one.frames[0] is other.frames[0]


def test_the_second_subscription_of_a_socket_has_an_id_of_its_own_and_gets_everything_too() -> None:
    fanout, member = Fanout("heads"), Listener()
    first, second = joined(fanout, member), joined(fanout, member)
    assert first != second
    fanout.publish(b"1")
    assert member.heard == [("eth_subscription", first, 1), ("eth_subscription", second, 1)]


def test_other_streams_have_other_ids() -> None:
    member = Listener()
    assert Fanout("heads").reserve(member) != Fanout("logs").reserve(member)


def test_an_ordinal_is_used_again_when_its_subscription_has_left() -> None:
    fanout, member = Fanout("heads"), Listener()
    first, second = fanout.reserve(member), fanout.reserve(member)
    fanout.leave(member, first)
    assert fanout.reserve(member) == first
    assert fanout.reserve(member) not in (first, second)


def test_the_result_is_passed_on_byte_for_byte() -> None:
    fanout, member = Fanout("heads"), Listener()
    joined(fanout, member)
    fanout.publish(b'{ "b": 1.0, "a":1e3 }')
    assert b'{ "b": 1.0, "a":1e3 }' in member.frames[0]


def test_who_is_not_active_yet_gets_only_what_is_published_to_it_alone() -> None:
    fanout, member = Fanout("heads"), Listener()
    id_ = fanout.reserve(member)
    fanout.publish(b"1")
    fanout.publish_to(member, id_, b"2")
    assert member.heard == [("eth_subscription", id_, 2)]


def test_who_has_left_gets_nothing() -> None:
    fanout, member = Fanout("heads"), Listener()
    id_ = joined(fanout, member)
    fanout.leave(member, id_)
    fanout.leave(member, id_)
    fanout.activate(member, id_)
    fanout.publish(b"1")
    fanout.publish_to(member, id_, b"2")
    assert member.frames == []
    assert fanout.members == 0


def test_members_are_counted_by_subscription() -> None:
    fanout, member = Fanout("heads"), Listener()
    joined(fanout, member)
    joined(fanout, member)
    fanout.reserve(Listener())
    assert fanout.members == 3


def test_a_gap_is_told_to_those_who_want_to_know() -> None:
    fanout, told, untold = Fanout("heads"), Listener(), Listener(wants_gaps=False)
    id_ = joined(fanout, told)
    joined(fanout, untold)
    fanout.announce_gap(b'{"from":"0x1"}')
    assert told.heard == [("lasso_gap", id_, {"from": "0x1"})]
    assert untold.frames == []


def test_only_events_of_a_conflated_stream_may_be_replaced_and_gaps_never() -> None:
    plain, conflated, member = Fanout("logs"), Fanout("heads", conflate=True), Listener()
    joined(plain, member)
    joined(conflated, member)
    plain.publish(b"1")
    conflated.publish(b"1")
    conflated.publish(b"2")
    conflated.announce_gap(b"{}")
    first, one, two, gap = member.topics
    assert first is None
    assert gap is None
    assert one is not None
    assert one == two


def test_what_is_replayed_is_marked_and_never_replaced() -> None:
    fanout, member = Fanout("heads", conflate=True), Listener()
    fanout.publish_to(member, fanout.reserve(member), b"1")
    assert member.topics == [REPLAYED]


def test_a_crowd_without_slices_is_served_at_once() -> None:
    fanout = Fanout("heads")
    crowd = [Listener() for _ in range(3 * SLICE)]
    for member in crowd:
        joined(fanout, member)
    fanout.publish(b"1")
    assert all(len(member.frames) == 1 for member in crowd)


async def test_a_crowd_is_served_in_slices_and_the_order_of_events_stays(nursery: trio.Nursery) -> None:
    slices = Slices()
    fanout = Fanout("heads", slices=slices)
    crowd = [Listener() for _ in range(3 * SLICE)]
    for member in crowd:
        id_ = joined(fanout, member)
    fanout.publish(b"1")
    fanout.publish_to(crowd[-1], id_, b"2")
    assert crowd[-1].frames == []
    nursery.start_soon(slices.run)
    await wait_all_tasks_blocked()
    assert all(member.heard[0] == ("eth_subscription", id_, 1) for member in crowd)
    assert [result for _, _, result in crowd[-1].heard] == [1, 2]  # type: ignore[misc]


async def test_who_leaves_while_a_crowd_is_served_gets_nothing_more(nursery: trio.Nursery) -> None:
    slices = Slices()
    fanout = Fanout("heads", slices=slices)
    crowd = [Listener() for _ in range(2 * SLICE)]
    for member in crowd:
        id_ = joined(fanout, member)
    fanout.publish(b"1")
    fanout.leave(crowd[-1], id_)
    nursery.start_soon(slices.run)
    await wait_all_tasks_blocked()
    assert crowd[-1].frames == []
    assert len(crowd[-2].frames) == 1


async def test_a_small_circle_is_served_at_once_though_there_are_slices() -> None:
    fanout, member = Fanout("heads", slices=Slices()), Listener()
    joined(fanout, member)
    fanout.publish(b"1")
    assert len(member.frames) == 1


async def test_a_gap_of_a_replay_does_not_overtake_what_was_replayed_before(nursery: trio.Nursery) -> None:
    slices = Slices()
    fanout = Fanout("heads", slices=slices)
    crowd = [Listener() for _ in range(2 * SLICE)]
    for member in crowd:
        joined(fanout, member)
    late, deaf = Listener(), Listener(wants_gaps=False)
    id_, other = fanout.reserve(late), fanout.reserve(deaf)
    fanout.publish(b"1")
    fanout.publish_to(late, id_, b"2")
    fanout.announce_gap_to(late, id_, b"3")
    fanout.announce_gap_to(deaf, other, b"3")
    fanout.announce_gap_to(late, "0x", b"3")
    nursery.start_soon(slices.run)
    await wait_all_tasks_blocked()
    assert late.heard == [("eth_subscription", id_, 2), ("lasso_gap", id_, 3)]
    assert deaf.frames == []


async def test_an_event_for_nobody_lets_no_later_one_overtake_those_on_their_way(nursery: trio.Nursery) -> None:
    slices = Slices()
    fanout = Fanout("heads", slices=slices)
    crowd = [Listener(wants_gaps=False) for _ in range(SLICE + 1)]
    for member in crowd:
        id_ = joined(fanout, member)
    fanout.publish(b"1")
    fanout.announce_gap(b"{}")  # nobody wants it
    fanout.leave(crowd[0], id_)  # and now they are few enough to be served at once
    fanout.publish(b"2")
    nursery.start_soon(slices.run)
    await wait_all_tasks_blocked()
    assert [result for _, _, result in crowd[-1].heard] == [1, 2]  # type: ignore[misc]


def test_events_of_one_moment_go_out_together_in_pieces_that_are_not_too_long() -> None:
    fanout, one, other = Fanout("logs"), Listener(), Listener()
    for member in (one, other):
        joined(fanout, member)
    results = [b'"%b"' % (b"x" * (PIECE // 3)) for _ in range(4)] + [b'"%b"' % (b"y" * (2 * PIECE)), b"1"]
    fanout.publish_all(results)
    fanout.publish_all([])
    told = [[message["params"]["result"] for message in messages_of(frames)] for frames in one.frames]
    assert [len(piece) for piece in told] == [2, 2, 1, 1]
    assert one.topics == [BURST] * 4
    assert [event for piece in told for event in piece] == [json.loads(result) for result in results]
    assert all(mine is theirs for mine, theirs in zip(one.frames, other.frames, strict=True))


def test_events_that_fit_into_one_piece_are_no_burst_and_one_long_event_is() -> None:
    fanout, member = Fanout("logs"), Listener()
    joined(fanout, member)
    fanout.publish_all([b"1", b"2"])
    fanout.publish_all([b'"%b"' % (b"y" * PIECE)])
    assert member.topics == [None, BURST]


def test_events_that_may_replace_each_other_go_out_one_by_one() -> None:
    fanout, member = Fanout("heads", conflate=True), Listener()
    joined(fanout, member)
    fanout.publish_all([b"1", b"2"])
    assert [result for _, _, result in member.heard] == [1, 2]  # type: ignore[misc]
