from __future__ import annotations

import pytest

from lasso_trio.subscriptions.keccak import keccak256


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        (b"Transfer(address,address,uint256)", "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"),
    ],
)
def test_known_digests(data: bytes, digest: str) -> None:
    assert keccak256(data).hex() == digest


def test_inputs_around_the_block_size_differ() -> None:
    assert len({keccak256(bytes(size)) for size in range(130, 280)}) == 150


def test_it_agrees_with_a_library() -> None:
    library = pytest.importorskip("eth_hash.auto").keccak
    for size in (1, 20, 32, 135, 136, 137, 271, 272, 273):
        assert keccak256(bytes(range(size % 256)) * 2) == library(bytes(range(size % 256)) * 2)
