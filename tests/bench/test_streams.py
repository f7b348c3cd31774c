"""What the fan-out bench sends, and what it makes of what it measured."""

from __future__ import annotations

import json

from fanout_clients import SUBSCRIBE, masked
from fanout_orders import payload
from streams import Figures, message_size, table
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage


def test_every_event_is_a_head_of_the_same_size() -> None:
    assert json.loads(payload(7))["number"] == "0x00000007"
    assert message_size(1) == message_size(1_000_000) > len(payload(1))


def test_a_subscriber_speaks_as_clients_must() -> None:
    (event,) = Connection(ConnectionType.SERVER, trailing_data=masked(SUBSCRIBE)).events()
    assert isinstance(event, TextMessage)
    assert event.data == SUBSCRIBE.decode()


def test_missed_marks_are_named() -> None:
    good = Figures(24.0, cpu_us=[11.0, 13.0, 10.0], last_ms=[100.0, 120.0])
    bad = Figures(40.0, cpu_us=[13.0], last_ms=[100.0, 300.0])
    assert good.missed == []
    assert [text.partition(":")[0] for text in bad.missed] == ["CPU per message", "last delivery", "resident"]


def test_the_table_has_a_line_for_each_server() -> None:
    text = table({"lasso": Figures(24.04, [11.0, 12.0], [100.0, 120.0])})
    assert "| lasso | 11.5 (11.0) µs | 110 (120) ms | 24.0 KiB |" in text
