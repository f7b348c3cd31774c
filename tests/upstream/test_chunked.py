"""Chunks one feed at a time; the grammar as a whole is tested against h11 in test_response."""

from __future__ import annotations

import pytest

from lasso_trio.upstream.chunked import ChunkedDecoder
from lasso_trio.upstream.faults import TooLarge


def test_pieces_come_out_as_they_arrive_and_the_rest_is_handed_back() -> None:
    decoder, out = ChunkedDecoder(100), list[bytes]()
    assert decoder.feed(b"5\r\nhe", out) is None
    assert out == [b"he"]
    assert decoder.feed(b"llo\r", out) is None
    assert decoder.feed(b"\n0\r\nX: y\r\n\r\nextra", out) == b"extra"
    assert out == [b"he", b"llo"]


def test_the_cap_counts_what_is_announced() -> None:
    decoder = ChunkedDecoder(10)
    decoder.feed(b"8\r\n", [])
    with pytest.raises(TooLarge):
        decoder.feed(b"12345678\r\n3\r\n", [])
