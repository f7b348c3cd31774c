from __future__ import annotations

import json

import pytest
from structlog.testing import capture_logs

from lasso_trio.config.profile import WebSocketPolicy
from lasso_trio.devnet import Chain
from lasso_trio.providers.block_time import BlockTime
from lasso_trio.subscriptions.fanout import Fanout, subscription_id
from lasso_trio.subscriptions.head_line import Gap
from lasso_trio.subscriptions.stream import Stream, Surroundings, gap_json
from tests.subscriptions.simulated import Client, SimulatedReader, messages_of


def stream() -> Stream:
    reader = SimulatedReader(Chain(block_time=None))
    return Stream("x", Fanout("x"), Surroundings(WebSocketPolicy(), list, reader, lambda: BlockTime(2.0), {}))


def test_a_gap_is_told_as_a_range_with_its_reason() -> None:
    assert json.loads(gap_json(Gap(17, 20, 5, "backfill_failed"))) == {
        "fromBlock": "0x11",
        "toBlock": "0x14",
        "unprovenFrom": "0x5",
        "reason": "backfill_failed",
    }


def test_it_is_used_while_it_has_members_or_is_held() -> None:
    one, client = stream(), Client()
    assert not one.is_used
    id_ = one.fanout.reserve(client)
    assert one.is_used
    one.fanout.leave(client, id_)
    one.holders = 1
    assert one.is_used


def test_events_and_gaps_are_counted_and_told() -> None:
    one, client = stream(), Client()
    one.fanout.activate(client, one.fanout.reserve(client))
    one.publish(b'"event"')
    with capture_logs() as logged:
        one.announce(Gap(1, 1, 1, "x"))
        one.announce_to(client, subscription_id("x", 0), Gap(2, 2, 2, "y"))
        one.announce_to(client, "another's", Gap(3, 3, 3, "z"))
    assert (client.results, [gap["reason"] for gap in client.gaps]) == (["event"], ["x", "y"])
    assert (one.counts.events, one.counts.gaps) == (1, 3)
    assert [(entry["event"], entry["reason"]) for entry in logged] == [("stream.gap", reason) for reason in "xyz"]


def test_a_gap_keeps_its_place_among_the_events_of_one_moment() -> None:
    one, told = stream(), list[object]()

    class Order(Client):
        def send_frame(self, frame: bytes, topic: object | None) -> None:
            told.extend(message["params"]["result"] for message in messages_of(frame))

    client = Order()
    one.fanout.activate(client, one.fanout.reserve(client))
    gap = Gap(1, 2, 1, "x")
    one.publish_all([b"1", b"2", gap, b"3"])
    assert told == [1, 2, json.loads(gap_json(gap)), 3]
    assert (one.counts.events, one.counts.gaps) == (3, 1)


async def test_what_it_does_is_for_its_kinds_to_say() -> None:
    with pytest.raises(NotImplementedError):
        await stream().run()
