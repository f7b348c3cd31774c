"""Gzip is undone in small pieces, and a bomb is defused."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lasso_trio.upstream.content_coding import PIECE, Gunzip, decoder_for
from lasso_trio.upstream.faults import Malformed, TooLarge


def undo(pieces: list[bytes], cap: int = 10_000_000) -> bytes:
    decoder, out = Gunzip(cap), b""
    for piece in pieces:
        decoder.push(piece)
        while got := decoder.pull():
            assert len(got) <= PIECE
            out += got
    decoder.finish()
    return out


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=3))
@settings(max_examples=30)
def test_any_members_cut_anywhere_give_the_text_back(members: list[bytes]) -> None:
    packed = b"".join(gzip.compress(member) for member in members)
    expected = b"".join(members)
    assert undo([packed]) == expected
    assert undo([packed[i : i + 1] for i in range(len(packed))]) == expected
    for cut in range(0, len(packed), 7):
        assert undo([packed[:cut], packed[cut:]]) == expected


def test_a_large_text_comes_in_pieces() -> None:
    text = bytes(range(256)) * 2_000
    assert undo([gzip.compress(text)]) == text


def test_a_bomb_is_refused_at_the_cap_and_not_unpacked_first() -> None:
    decoder = Gunzip(PIECE * 2)
    decoder.push(gzip.compress(bytes(50_000_000)))
    assert decoder.pull()
    assert decoder.pull()
    with pytest.raises(TooLarge):
        decoder.pull()


@pytest.mark.parametrize("packed", [b"plain text", gzip.compress(b"x") + b"trailing"], ids=["plain", "more"])
def test_what_is_not_gzip_is_malformed(packed: bytes) -> None:
    with pytest.raises(Malformed):
        undo([packed])


def test_an_end_in_the_middle_is_malformed() -> None:
    with pytest.raises(Malformed):
        undo([gzip.compress(b"hello" * 100)[:-4]])


def test_an_empty_body_needs_no_gzip() -> None:
    assert undo([]) == b""


def test_only_what_was_asked_for_is_undone() -> None:
    assert decoder_for(b"", 1) is None
    assert decoder_for(b"identity", 1) is None
    assert isinstance(decoder_for(b"x-gzip", 1), Gunzip)
    for unknown in (b"br", b"deflate", b"gzip, gzip"):
        with pytest.raises(Malformed):
            decoder_for(unknown, 1)
