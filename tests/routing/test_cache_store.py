from __future__ import annotations

from lasso_trio.config.profile import Profile
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.routing.cache_policy import Keep
from lasso_trio.routing.cache_store import OVERHEAD, Entry, MemoryStore, size_of


def entry(size: int = 0, *tags: bytes) -> Entry:
    return Entry(Reply(b"", b"x" * size, None, size), Keep("final"), 0.0, tags)


async def test_what_was_put_is_got_until_it_is_replaced() -> None:
    store, first, second = MemoryStore(100_000), entry(1), entry(2)
    assert await store.get(b"key") is None
    await store.put(b"key", first)
    assert await store.get(b"key") is first
    await store.put(b"key", second)
    assert await store.get(b"key") is second
    assert len(store) == 1
    assert store.held == size_of(b"key", second)


async def test_all_bytes_count_and_the_least_used_go_first() -> None:
    store = MemoryStore(10 * (OVERHEAD + 101))
    for name in range(10):
        await store.put(b"%d" % name, entry(100))
    assert store.held == store.max_bytes
    await store.get(b"0")
    await store.put(b"n", entry(100))
    assert await store.get(b"0") is not None
    assert await store.get(b"1") is None
    assert store.evicted == 1
    assert store.held <= store.max_bytes


async def test_long_keys_and_tags_and_many_blocks_take_room_too() -> None:
    plain = size_of(b"", entry())
    assert size_of(b"key", entry()) == plain + 3
    assert size_of(b"", entry(0, b"tag")) == plain + 3
    several = Entry(entry().reply, Keep("branch", blocks=((1, "0x1"), (2, "0x2"))), 0.0)
    assert size_of(b"", several) == plain + 2 * OVERHEAD


async def test_what_is_too_large_is_not_kept_and_does_not_empty_the_store() -> None:
    store = MemoryStore(80_000)
    await store.put(b"small", entry(1))
    await store.put(b"large", entry(10_000))
    assert await store.get(b"large") is None
    assert await store.get(b"small") is not None


async def test_what_has_an_invalidated_tag_is_dropped() -> None:
    store = MemoryStore(100_000)
    await store.put(b"a", entry(1, b"one"))
    await store.put(b"b", entry(1, b"one", b"two"))
    await store.put(b"c", entry(1, b"two"))
    await store.put(b"d", entry(1))
    await store.invalidate([b"one", b"never seen"])
    assert [await store.get(key) is not None for key in (b"a", b"b", b"c", b"d")] == [False, False, True, True]
    await store.invalidate([b"two"])
    assert len(store) == 1
    assert not store._tagged
    assert store.held == size_of(b"d", entry(1))


async def test_what_a_setback_or_another_profile_changes_is_nothing_to_a_store_of_ones_own() -> None:
    store, kept = MemoryStore(100_000), entry(1)
    await store.put(b"a", kept)
    await store.set_back(b"a")
    store.follow(Profile("public", "Public", ()))
    assert await store.get(b"a") is kept
