from __future__ import annotations

import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from lasso_trio.server.content_coding import INLINE_BYTES, StreamCompressor, accepts_gzip, compress, inflate
from lasso_trio.server.refusal import BadRequest

NOISE = random.Random(1).randbytes(100_000)


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        (b"", False),
        (b"gzip", True),
        (b"gzip, deflate, br", True),
        (b"br;q=1.0, GZIP;q=0.8, *;q=0.1", True),
        (b"x-gzip", True),
        (b"gzip;q=0", False),
        (b"gzip;q=0.000", False),
        (b"gzip ; q = 0", False),
        (b"*", True),
        (b"*;q=0", False),
        (b"gzip;q=0, *", False),
        (b"identity, gzip;q=0.5", False),
        (b"identity;q=0.5, gzip", True),
        (b"gzip;q=nonsense", False),
        (b"br", False),
        (b"gzippy", False),
    ],
)
def test_accept_encoding_is_weighed(header: bytes, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


@pytest.mark.parametrize("size", [10, INLINE_BYTES, INLINE_BYTES + 1])
async def test_compressed_parts_inflate_to_their_sum(size: int) -> None:
    parts = (NOISE[: size // 2], NOISE[size // 2 : size])
    assert gzip.decompress(await compress(parts, size)) == NOISE[:size]


async def test_stream_of_chunks_is_one_gzip_member() -> None:
    stream = StreamCompressor()
    wire = await stream.feed(b"abc") + await stream.feed(NOISE) + stream.finish()
    assert gzip.decompress(wire) == b"abc" + NOISE


@pytest.mark.parametrize("size", [0, 1, INLINE_BYTES - 1, INLINE_BYTES, INLINE_BYTES + 1, 100_000])
@pytest.mark.parametrize("make", [lambda n: NOISE[:n], bytes])
async def test_gzip_body_is_inflated(size: int, make: Callable[[int], bytes]) -> None:
    body = make(size)
    assert await inflate(gzip.compress(body), b"gzip", 100_000) == body


async def status_of(body: bytes, coding: bytes = b"gzip", limit: int = 100_000) -> int:
    with pytest.raises(BadRequest) as caught:
        await inflate(body, coding, limit)
    return caught.value.status


async def test_bomb_is_refused_without_being_unpacked() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    tracemalloc.start()
    assert await status_of(bomb) == 413
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
    assert await status_of(gzip.compress(bytes(100_001))) == 413


async def test_broken_gzip_is_refused() -> None:
    whole = gzip.compress(NOISE[:50_000])
    assert await status_of(whole[:-1]) == 400
    assert await status_of(whole[:20_000]) == 400
    assert await status_of(whole + b"x") == 400
    assert await status_of(b"not gzip") == 400
    assert await status_of(b"") == 400
    assert await status_of(zlib.compress(b"zlib, not gzip")) == 400


async def test_other_codings_are_not_undone() -> None:
    assert await status_of(b"x", b"br") == 415
    assert await status_of(b"x", b"gzip, gzip") == 415
