"""A frame is taken from who has the secret, whole, in its direction, and once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.cluster import seal as module
from lasso_trio.cluster.seal import SKEW_S, Direction, Nonces, Seal, Unsealed, digest
from lasso_trio.config.secret import Secret

SEAL = Seal(Secret("s" * 64))


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_what_was_closed_opens_to_the_same(header: bytes, body: bytes) -> None:
    assert SEAL.open(Direction.TELL, SEAL.close(Direction.TELL, header, body)) == (header, body)


@given(st.data())
def test_no_byte_of_signature_length_or_header_can_be_changed(data: st.DataObject) -> None:
    frame = bytearray(SEAL.close(Direction.ASK, b"the header"))
    frame[data.draw(st.integers(0, len(frame) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Unsealed):
        SEAL.open(Direction.ASK, bytes(frame))


@given(st.binary(max_size=100))
def test_noise_is_not_signed(noise: bytes) -> None:
    with pytest.raises(Unsealed):
        SEAL.open(Direction.ASK, noise)


def test_another_secret_and_the_other_direction_do_not_open_it() -> None:
    frame = SEAL.close(Direction.ASK, b"header")
    with pytest.raises(Unsealed):
        Seal(Secret("t" * 64)).open(Direction.ASK, frame)
    with pytest.raises(Unsealed):
        SEAL.open(Direction.TELL, frame)
    with pytest.raises(Unsealed):
        SEAL.open(Direction.ASK, frame[:-1])


def test_a_digest_tells_bodies_apart() -> None:
    assert len(digest(b"a")) == 32
    assert digest(b"a") != digest(b"b")


def test_a_nonce_is_taken_once_and_forgotten_when_its_time_would_give_it_away() -> None:
    nonces = Nonces()
    assert nonces.take(b"n", 100.0)
    assert not nonces.take(b"n", 100.0 + 2 * SKEW_S - 0.1)
    assert nonces.take(b"n", 100.0 + 2 * SKEW_S)
    assert len(nonces) == 1


def test_nonces_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NONCES", 2)
    nonces = Nonces()
    assert [nonces.take(bytes([n]), 100.0) for n in range(3)] == [True, True, False]
