"""Questions and answers between nodes: who is believed, and who is told why not."""

from __future__ import annotations

import msgspec
import pytest

from lasso_trio.cluster.seal import SKEW_S, Direction, Nonces, Seal
from lasso_trio.cluster.snapshot import encode
from lasso_trio.cluster.talk import (
    MOST_ASK_BYTES,
    Body,
    Identity,
    Introduction,
    Refused,
    answer,
    check_answer,
    check_question,
    question,
)
from lasso_trio.config.secret import Secret
from tests.cluster.shares import snapshot

SEAL = Seal(Secret("s" * 64))
ME, YOU = Identity("lasso", "us-east-1", "u1"), Identity("lasso", "eu-west-1", "u2")
NONCE = b"n" * 16
NOW = 1_000_000.0
BODY = Body.of(encode(snapshot({"a": [0.1]}, calls=1)))


def asked(me: Identity = ME, seal: Seal = SEAL, nonce: bytes = NONCE, at: float = NOW) -> Introduction:
    return check_question(SEAL, YOU, Nonces(), question(seal, me, nonce, at), NOW)


def refusal(**wrong: object) -> str:
    with pytest.raises(Refused) as caught:
        asked(**wrong)  # type: ignore[arg-type]
    return caught.value.kind


def test_a_question_says_who_asks_and_an_answer_who_answers_and_what() -> None:
    asker = asked()
    assert (asker.node_id, asker.uid, asker.nonce) == ("us-east-1", "u1", NONCE)
    teller, told = check_answer(SEAL, ME, NONCE, answer(SEAL, YOU, asker, BODY, NOW))
    assert (teller.node_id, teller.uid) == ("eu-west-1", "u2")
    assert told == snapshot({"a": [0.1]}, calls=1)


def test_another_secret_cluster_or_clock_is_named() -> None:
    assert refusal(seal=Seal(Secret("t" * 64))) == "secret"
    assert refusal(me=Identity("other", "us-east-1", "u1")) == "cluster"
    assert refusal(at=NOW - SKEW_S - 1) == refusal(at=NOW + SKEW_S + 1) == "clock"
    assert asked(at=NOW - SKEW_S).time == NOW - SKEW_S


def test_a_question_is_answered_once() -> None:
    nonces, frame = Nonces(), question(SEAL, ME, NONCE, NOW)
    check_question(SEAL, YOU, nonces, frame, NOW)
    for later in (NOW, NOW + SKEW_S):
        with pytest.raises(Refused) as caught:
            check_question(SEAL, YOU, nonces, frame, later)
        assert caught.value.kind == "replay"
    assert refusal(nonce=b"short") == "replay"


def test_an_answer_to_another_question_is_an_old_one() -> None:
    with pytest.raises(Refused) as caught:
        check_answer(SEAL, ME, b"m" * 16, answer(SEAL, YOU, asked(), BODY, NOW))
    assert caught.value.kind == "replay"


def test_a_snapshot_cannot_be_exchanged_under_its_signature() -> None:
    told = answer(SEAL, YOU, asked(), BODY, NOW)
    other = told[: -len(BODY.packed)] + encode(snapshot(calls=99))
    with pytest.raises(Refused) as caught:
        check_answer(SEAL, ME, NONCE, other)
    assert caught.value.kind == "secret"


@pytest.mark.parametrize("header", [b"\x01", msgspec.msgpack.encode((2, "lasso", "x", "u", NOW, NONCE, b""))])
def test_another_versions_frame_is_called_that(header: bytes) -> None:
    with pytest.raises(Refused) as caught:
        check_question(SEAL, YOU, Nonces(), SEAL.close(Direction.ASK, header), NOW)
    assert caught.value.kind == "version"


def test_a_snapshot_of_another_version_is_called_that() -> None:
    with pytest.raises(Refused) as caught:
        check_answer(SEAL, ME, NONCE, answer(SEAL, YOU, asked(), Body.of(b"?"), NOW))
    assert caught.value.kind == "version"


def test_the_longest_names_fit_into_a_question() -> None:
    longest = Identity("b" * 63, "n" * 128, "u" * 16)
    assert len(question(SEAL, longest, NONCE, NOW)) < MOST_ASK_BYTES
