from __future__ import annotations

from lasso_trio.server.head_cache import MAX_CACHED_HEAD_BYTES, HeadCache
from lasso_trio.server.http_head import Head, parse_head

HEAD = parse_head(b"POST /rpc HTTP/1.1\r\nHost: a\r\n\r\n", 100)


def raw(number: int) -> bytes:
    return b"head %d" % number


def test_put_head_is_found_again_as_the_same_object() -> None:
    cache = HeadCache()
    cache.put(b"x", HEAD)
    assert cache.get(b"x") is HEAD
    assert cache.get(b"y") is None


def test_number_of_heads_is_bounded() -> None:
    cache = HeadCache(entries=100)
    for number in range(1_000):
        cache.put(raw(number), HEAD)
        assert len(cache) <= 100


def test_bytes_of_heads_are_bounded() -> None:
    cache = HeadCache(entries=10_000, size=10_000)
    for number in range(1_000):
        cache.put(b"%0500d" % number, HEAD)
        assert len(cache) * 500 <= 10_000


def test_hot_head_survives_a_flood_of_heads_that_never_repeat() -> None:
    cache = HeadCache(entries=100)
    hot: Head = HEAD
    cache.put(b"hot", hot)
    for number in range(10_000):
        cache.put(raw(number), parse_head(b"POST /rpc HTTP/1.1\r\nHost: a\r\n\r\n", 100) if number < 5 else HEAD)
        if number % 40 == 0:
            assert cache.get(b"hot") is hot


def test_big_head_is_not_kept() -> None:
    cache = HeadCache()
    cache.put(b"x" * (MAX_CACHED_HEAD_BYTES + 1), HEAD)
    assert len(cache) == 0
