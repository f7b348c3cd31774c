"""Frames, whatever pieces they come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.workers.frame import (
    MAX_FRAME,
    PARENT,
    BrokenFrame,
    Frame,
    FrameReader,
    Kind,
    check_greeting,
    encoded,
    greeting,
)

frames = st.builds(
    Frame,
    st.sampled_from(Kind),
    st.integers(-1, 255),
    st.integers(-2, 255),
    st.text(max_size=20),
    st.binary(max_size=300),
    st.integers(0, 2**63),
)


@given(st.lists(frames, max_size=8), st.integers(1, 50))
def test_frames_come_out_as_they_went_in_however_they_are_cut(sent: list[Frame], piece: int) -> None:
    line = b"".join(encoded(frame) for frame in sent)
    reader = FrameReader()
    read = [pair for at in range(0, len(line), piece) for pair in reader.feed(line[at : at + piece])]
    assert [frame for frame, _ in read] == sent
    assert b"".join(whole for _, whole in read) == line


def test_a_length_that_no_frame_has_breaks_the_line() -> None:
    with pytest.raises(BrokenFrame, match="bytes"):
        list(FrameReader().feed((MAX_FRAME + 1).to_bytes(4, "big")))


@pytest.mark.parametrize(
    "body", [b"\x93", b"{}", b"\x95\x09\x00\x00\xa1x\xc4\x00", b"\x95\x00\x00\x00\xa1\xff\xc4\x00"]
)
def test_what_is_no_frame_breaks_the_line(body: bytes) -> None:
    with pytest.raises(BrokenFrame):
        list(FrameReader().feed(len(body).to_bytes(4, "big") + body))


def test_what_is_told_has_no_number() -> None:
    assert Frame(Kind.TELL, 0, PARENT, "t", b"").number == 0


def test_who_greets_as_we_do_may_go_on_and_nobody_else() -> None:
    check_greeting(greeting())
    for other in (b"", b"\x00", b"\x02", greeting() * 2):
        with pytest.raises(BrokenFrame, match="restart the node"):
            check_greeting(other)
