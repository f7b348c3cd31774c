"""Bodies that come in one read, in many, or larger than allowed: the limits hold for all of them."""

from __future__ import annotations

import tracemalloc

import pytest

from lasso_trio.server.http_request import RequestReader
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.refusal import BadRequest, Kind


def request(body: bytes, framing: bytes) -> bytes:
    return b"POST /rpc/eth HTTP/1.1\r\nhost: node\r\n" + framing + b"\r\n\r\n" + body


@pytest.mark.parametrize("behind", [b"", b"POST /rpc/eth HTTP/1.1\r\n"])
def test_a_body_beyond_the_limit_is_refused_although_it_came_whole(behind: bytes) -> None:
    for _ in range(2):  # a refused head is not remembered
        reader = RequestReader(LaneLimits(max_body_bytes=10))
        raw = request(b"x" * 11, b"content-length: 11") + behind
        assert reader.take(raw) is None
        with pytest.raises(BadRequest) as refused:
            reader.next()
        assert (refused.value.status, refused.value.kind) == (413, Kind.BODY_TOO_LARGE)


def test_a_body_of_just_the_limit_is_taken() -> None:
    reader = RequestReader(LaneLimits(max_body_bytes=10))
    reader.feed(request(b"x" * 10, b"content-length: 10"))
    taken = reader.next()
    assert taken is not None
    assert taken.body == b"x" * 10  # type: ignore[union-attr]


@pytest.mark.parametrize("framing", [b"content-length: 200000", b"transfer-encoding: chunked"])
def test_a_body_in_tiny_reads_takes_little_more_memory_than_it_has_bytes(framing: bytes) -> None:
    reader = RequestReader(LaneLimits())
    reader.feed(request(b"", framing) + (b"30d40\r\n" if b"chunked" in framing else b""))
    assert reader.next() is None
    tracemalloc.start()
    try:
        for _ in range(99_999):
            reader.feed(bytes(bytearray(b"xy")))
            assert reader.next() is None
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 3 * 200_000
