from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Ping, TextMessage

from lasso_trio.subscriptions.frames import close_frame, ping_frame, text_frame


def read(wire: bytes) -> list[object]:
    """What a client understands."""
    return list(Connection(ConnectionType.CLIENT, trailing_data=wire).events())


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 70_000])
def test_a_text_frame_of_any_size_is_one_whole_message(size: int) -> None:
    (event,) = read(text_frame(b"x" * size))
    assert isinstance(event, TextMessage)
    assert event.data == "x" * size
    assert event.message_finished


@given(st.text(max_size=300))
def test_text_comes_back_as_it_was(text: str) -> None:
    (event,) = read(text_frame(text.encode()))
    assert isinstance(event, TextMessage)
    assert event.data == text


def test_a_ping_carries_its_payload() -> None:
    (event,) = read(ping_frame(b"lasso"))
    assert isinstance(event, Ping)
    assert event.payload == b"lasso"


def test_a_ping_cannot_be_longer_than_a_control_frame() -> None:
    with pytest.raises(AssertionError):
        ping_frame(b"x" * 126)


def test_a_close_says_code_and_reason() -> None:
    (event,) = read(close_frame(1013, "try again later"))
    assert isinstance(event, CloseConnection)
    assert (event.code, event.reason) == (1013, "try again later")


@given(st.text(min_size=1, max_size=200))
def test_a_reason_that_does_not_fit_is_cut_between_characters(reason: str) -> None:
    frame = close_frame(1012, reason)
    assert len(frame) <= 127
    (event,) = read(frame)
    assert isinstance(event, CloseConnection)
    assert reason.startswith(event.reason or "")
