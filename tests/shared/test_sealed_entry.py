from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.routing.cache_policy import Keep
from lasso_trio.routing.cache_store import Entry
from lasso_trio.shared.sealed_entry import Offset, Sealer

SEALER = Sealer(b"s" * 32)
ENTRY = Entry(
    Reply(b'{"jsonrpc":"2.0","id":', b',"result":"0x1"}', None, 5, 34),
    Keep("branch", None, "0xhead", ((7, "0xseven"),)),
    100.0,
    (b"tag",),
)
THERE = Offset(1000.0, 1000.25)


def test_what_was_sealed_is_opened_as_it_was() -> None:
    found = SEALER.open(b"k", SEALER.seal(b"k", ENTRY, b"era", THERE), b"era", Offset(1000.0, 1000.0))
    assert found is not None
    assert (found.reply.before, found.reply.after) == (ENTRY.reply.before, ENTRY.reply.after)
    assert (found.reply.result_size, found.reply.result_first, found.reply.error) == (5, 34, None)
    assert (found.keep, found.tags, found.asked_at) == (ENTRY.keep, ENTRY.tags, 100.0)


@given(
    st.floats(0, 1e6), st.floats(-1e9, 1e9), st.floats(-1e9, 1e9), st.floats(0, 0.1), st.floats(0, 0.1), st.floats(0, 1)
)
def test_a_price_is_never_told_for_longer_than_its_time_whatever_the_clocks(
    asked: float, writer: float, reader: float, one: float, other: float, part: float
) -> None:
    """`writer` and `reader` are the engine's clock less theirs; each learned it within a round trip."""
    entry = Entry(ENTRY.reply, Keep("price", until=asked + 1), asked)
    learned = Offset.of(asked + writer + part * one, asked, asked + one)
    sealed = SEALER.seal(b"k", entry, b"", learned)
    now = asked + writer - reader
    found = SEALER.open(b"k", sealed, b"", Offset.of(now + reader + part * other, now, now + other))
    assert found is not None
    assert found.keep.until is not None
    assert found.keep.until <= now + 1 + 1e-5
    assert found.keep.until >= now + 1 - one - other - 1e-5
    assert found.asked_at <= now + 1e-5


@given(st.data())
def test_garbled_bytes_are_no_entry(data: st.DataObject) -> None:
    sealed = bytearray(SEALER.seal(b"k", ENTRY, b"era", THERE))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    assert SEALER.open(b"k", bytes(sealed), b"era", THERE) is None


@given(st.binary(max_size=80))
def test_foreign_bytes_are_no_entry(value: bytes) -> None:
    assert SEALER.open(b"k", value, b"era", THERE) is None


def test_another_key_another_secret_or_another_era_is_no_entry() -> None:
    sealed = SEALER.seal(b"k", ENTRY, b"era", THERE)
    assert SEALER.open(b"j", sealed, b"era", THERE) is None
    assert Sealer(b"t" * 32).open(b"k", sealed, b"era", THERE) is None
    assert SEALER.open(b"k", sealed, b"other", THERE) is None


@pytest.mark.parametrize("body", [b"", b"\x90", msgspec.msgpack.encode([9] + [b""] * 11)])
def test_what_a_later_version_sealed_is_no_entry(body: bytes) -> None:
    assert SEALER.open(b"k", SEALER._digest(b"k", body) + body, b"era", THERE) is None


def test_the_secret_is_not_shown() -> None:
    assert "ssss" not in repr(SEALER)
