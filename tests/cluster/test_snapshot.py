"""Snapshots on the wire."""

from __future__ import annotations

import zlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.cluster import snapshot as module
from lasso_trio.cluster.snapshot import BadSnapshot, WindowShare, decode, encode, methods_of
from lasso_trio.providers.latency import MIDDLES
from tests.cluster.shares import provider, snapshot, window

SECONDS = st.lists(st.floats(0.00001, 200.0), max_size=50)


@given(SECONDS, SECONDS, st.integers(0, 9))
def test_a_window_is_the_same_on_the_other_side(seen: list[float], left: list[float], failures: int) -> None:
    sent = window(seen, failures)
    for each in left:
        sent.censored.add(each)
    packed = msgspec.msgpack.encode(WindowShare.of(sent))
    got = msgspec.msgpack.decode(packed, type=WindowShare).window()
    assert got.latency.buckets == sent.latency.buckets
    assert got.censored.buckets == sent.censored.buckets
    assert (got.latency.count, got.failures) == (len(seen), failures)
    assert (got.latency.mean, got.quantile(0.95)) == (sent.latency.mean, sent.quantile(0.95))


def test_a_snapshot_comes_back_as_it_was_and_methods_when_they_are_wanted() -> None:
    sent = snapshot({"a": [0.1, 0.2]}, calls=2)
    got = decode(encode(sent))
    assert got == sent
    (method,) = methods_of(got.chains[0].providers[0])
    assert (method.method, method.answered) == ("eth_call", 2)


@pytest.mark.parametrize("wrong", [b"", b"noise", encode(snapshot())[:-3], b"\x91\x01"])
def test_what_is_no_snapshot_is_refused(wrong: bytes) -> None:
    with pytest.raises(BadSnapshot):
        decode(wrong)


def test_a_bucket_that_no_histogram_has_is_refused() -> None:
    sent = snapshot({"a": [0.1]})
    (row,) = sent.chains[0].providers
    beyond = msgspec.structs.replace(row.window, latency={len(MIDDLES): 1})
    chain = msgspec.structs.replace(sent.chains[0], providers=(msgspec.structs.replace(row, window=beyond),))
    with pytest.raises(BadSnapshot):
        decode(encode(msgspec.structs.replace(sent, chains=(chain,))))


@pytest.mark.parametrize("methods", [b"", b"noise", provider("a", [0.1]).methods[:-3], zlib.compress(b"\x01")])
def test_methods_that_cannot_be_read_are_told(methods: bytes) -> None:
    with pytest.raises(BadSnapshot):
        methods_of(msgspec.structs.replace(provider("a", [0.1]), methods=methods))


def test_methods_that_unpack_to_too_much_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_UNPACKED", 10)
    with pytest.raises(BadSnapshot, match="too large"):
        methods_of(provider("a", [0.1]))
