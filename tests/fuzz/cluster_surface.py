"""What other nodes, or whoever pretends to be one, say: frames as they come, and frames that were signed by our secret.

The second matters: a node of another version, or one that was taken over, signs well.
"""

from __future__ import annotations

import msgspec

from lasso_trio.cluster.seal import Direction, Nonces, Seal
from lasso_trio.cluster.snapshot import (
    BadSnapshot,
    ChainShare,
    MethodShare,
    ProviderShare,
    Snapshot,
    WindowShare,
    decode,
    encode,
    methods_of,
    pack_methods,
)
from lasso_trio.cluster.talk import (
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
from tests.fuzz.surface import Surface

WALL = 1_800_000_000.0
NONCE = b"n" * 16
_SEAL = Seal(Secret("s" * 64))
_ME = Identity("lasso", "a", "1")
_WINDOW = WindowShare({3: 5, 9: 1}, 0.5, {}, 0.0, 2)
_METHODS = pack_methods((MethodShare("eth_call", 9, 1, _WINDOW),))
_PROVIDER = ProviderShare("p", "P", True, 9, 8, 1, 0, -3, _WINDOW, _METHODS)
_SNAPSHOT = Snapshot(7, "1.0", "ready", 5.0, (ChainShare("public", "eth", 1, 9, 1, 0, 2.5, (_PROVIDER,)),))
_INTRODUCTION = Introduction(1, "lasso", "b", "2", WALL, NONCE, b"d" * 32)
_HEAD = 36


def _answered() -> bytes:
    return answer(_SEAL, Identity("lasso", "b", "2"), _INTRODUCTION, Body.of(encode(_SNAPSHOT)), WALL)


SEEDS = (
    _answered(),
    question(_SEAL, Identity("lasso", "b", "2"), NONCE, WALL),
    b"S" + encode(_SNAPSHOT),
    b"M" + _METHODS,
)
TOKENS = tuple(
    msgspec.msgpack.encode(value) for value in (None, -1, 2**63, 1e308, "x" * 40, [], {}, {1: 1}, b"", [[]] * 9)
)


def feed(data: bytes) -> str:
    words = [_question(data), _answer(data)]
    length = int.from_bytes(data[32:_HEAD], "big") % 512
    for direction, check in ((Direction.ASK, _question), (Direction.TELL, _answer)):
        words.append(check(_SEAL.close(direction, data[_HEAD : _HEAD + length], data[_HEAD + length :])))
    words.append(_snapshot(data[1:]))
    return " ".join(words)


def _question(frame: bytes) -> str:
    try:
        return check_question(_SEAL, _ME, Nonces(), frame, WALL).cluster
    except Refused as refused:
        return refused.kind


def _answer(frame: bytes) -> str:
    try:
        return _used(check_answer(_SEAL, _ME, NONCE, frame)[1])
    except Refused as refused:
        return refused.kind


def _snapshot(body: bytes) -> str:
    """The decoders alone: no signature stands before them."""
    try:
        return _used(decode(body))
    except BadSnapshot:
        return _methods(msgspec.structs.replace(_PROVIDER, methods=body))


def _methods(provider: ProviderShare) -> str:
    try:
        for method in methods_of(provider):
            method.window.window()
    except BadSnapshot:
        return "bad"
    return "methods"


def _used(snapshot: Snapshot) -> str:
    for chain in snapshot.chains:
        for provider in chain.providers:
            provider.window.window()
            _methods(provider)
    return f"{len(snapshot.chains)} chains"


CLUSTER = Surface("cluster", SEEDS, TOKENS, feed)
