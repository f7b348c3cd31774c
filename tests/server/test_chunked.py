from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.server.chunked import FREE_CHUNKS, MAX_LINE_BYTES, MAX_TRAILER_BYTES, ChunkedBody
from lasso_trio.server.refusal import BadRequest


def encode(parts: list[bytes], extension: bytes = b"", trailers: bytes = b"") -> bytes:
    chunks = b"".join(b"%X%b\r\n%b\r\n" % (len(part), extension, part) for part in parts if part)
    return chunks + b"0" + extension + b"\r\n" + trailers + b"\r\n"


def status_of(wire: bytes, limit: int = 1_000) -> int:
    with pytest.raises(BadRequest) as caught:
        ChunkedBody(limit).feed(wire)
    return caught.value.status


@given(
    st.lists(st.binary(max_size=40), max_size=8),
    st.sampled_from([b"", b";a=b", b' ; a="b c"', b";"]),
    st.sampled_from([b"", b"X-Sum: 1\r\n", b"A:\r\nB: \xff\r\n"]),
    st.lists(st.integers(1, 9), max_size=60),
    st.binary(max_size=5),
)
def test_body_is_the_same_however_it_is_cut(
    parts: list[bytes], extension: bytes, trailers: bytes, cuts: list[int], rest: bytes
) -> None:
    wire = encode(parts, extension, trailers)
    body = ChunkedBody(10_000)
    for size in cuts:
        if len(wire) <= size:
            break
        assert not body.feed(wire[:size])
        wire = wire[size:]
    assert body.feed(wire + rest)
    assert (body.body(), body.rest) == (b"".join(parts), rest)


@pytest.mark.parametrize(
    "wire",
    [
        b"5\nhello\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhelloX",
        b"5\r\nhello\rX",
        b"0x5\r\nhello\r\n",
        b"+5\r\nhello\r\n",
        b"-5\r\nhello\r\n",
        b" 5\r\nhello\r\n",
        b"5 \r\nhello\r\n",
        b"\r\nhello\r\n",
        b"5_0\r\n",
        b"g\r\n",
        b"000000005\r\nhello\r\n",
        b"5;\x01\r\nhello\r\n",
        b"5;a\rb\r\nhello\r\n",
        b"5;" + b"a" * MAX_LINE_BYTES,
        b"5;" + b"a" * MAX_LINE_BYTES + b"\r\n",
        b"0\r\nX : 1\r\n\r\n",
        b"0\r\nX\r\n\r\n",
        b"0\r\nX: 1\n\r\n",
        b"0\r\nX: \x001\r\n\r\n",
        b"0\r\n" + b"X: 1\r\n" * (MAX_TRAILER_BYTES // 6 + 1) + b"\r\n",
        b"0\r\n" + b"X: " + b"1" * MAX_TRAILER_BYTES,
    ],
)
def test_what_is_not_exactly_chunked_is_refused(wire: bytes) -> None:
    assert status_of(wire) == 400


def test_body_over_the_limit_is_refused_before_it_is_read() -> None:
    assert status_of(b"3E9\r\n") == 413
    assert status_of(b"3E8\r\n" + b"x" * 1_000 + b"\r\n1\r\n") == 413
    assert status_of(b"FFFFFFFF\r\n") == 413


def test_body_of_single_bytes_is_refused_at_some_point() -> None:
    assert status_of(b"1\r\nx\r\n" * (FREE_CHUNKS * 2), limit=8_000_000) == 400
