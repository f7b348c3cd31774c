from __future__ import annotations

import pytest

from lasso_trio.subscriptions.transaction import hash_of, is_whole

HASH = "0x" + "Ab" * 32


def test_a_hash_and_a_whole_transaction_name_the_same() -> None:
    assert (
        hash_of(f'"{HASH}"'.encode()) == hash_of(f'{{"nonce":"0x1","hash":"{HASH}"}}'.encode()) == HASH.lower().encode()
    )


@pytest.mark.parametrize("result", [b"7", b'"0x12"', b"{}", b"[", b"null", b'"0x%b"' % (b"zz" * 32)])
def test_anything_else_names_none(result: bytes) -> None:
    assert hash_of(result) == b""


@pytest.mark.parametrize(("result", "whole"), [(b'"0x12"', False), (b' {"hash":"0x12"}', True)])
def test_a_whole_transaction_is_told_from_a_hash(result: bytes, whole: bool) -> None:
    assert is_whole(result) == whole
