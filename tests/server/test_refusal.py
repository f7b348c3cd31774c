"""A refusal carries its status and the word that its text is picked by; the two never disagree."""

from __future__ import annotations

import pytest

from lasso_trio.server.http_request import RequestReader
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.refusal import BadRequest, Kind, body_too_large, malformed

STATUS = {
    Kind.BAD_REQUEST: 400,
    Kind.BODY_TOO_LARGE: 413,
    Kind.EXPECTATION: 417,
    Kind.HEAD_TOO_LARGE: 431,
    Kind.NOT_IMPLEMENTED: 501,
}
"""Those that reading a request can end in."""


def test_a_refusal_says_its_status_and_reason() -> None:
    refusal = malformed("no host")
    assert (refusal.status, refusal.kind, refusal.reason) == (400, "bad_request", "no host")
    assert str(refusal) == "400 no host"
    assert (body_too_large().status, body_too_large().kind) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("lines", "body", "kind"),
    [
        (b"", b"", Kind.BAD_REQUEST),
        (b"host: a\r\ncontent-length: 5\r\ncontent-length: 6", b"", Kind.BAD_REQUEST),
        (b"host: a\r\ncontent-length: 101", b"", Kind.BODY_TOO_LARGE),
        (b"host: a\r\nexpect: miracles\r\ncontent-length: 1", b"x", Kind.EXPECTATION),
        (b"host: a\r\nx: " + b"x" * 999, b"", Kind.HEAD_TOO_LARGE),
        (b"host: a\r\ntransfer-encoding: gzip, chunked", b"", Kind.NOT_IMPLEMENTED),
        (b"host: a\r\ntransfer-encoding: chunked", b"ff\r\n", Kind.BODY_TOO_LARGE),
    ],
)
def test_each_kind_of_refusal_has_one_status(lines: bytes, body: bytes, kind: Kind) -> None:
    reader = RequestReader(LaneLimits(max_head_bytes=500, max_body_bytes=100))
    reader.feed(b"POST /rpc/eth HTTP/1.1\r\n" + lines + b"\r\n\r\n" + body)
    with pytest.raises(BadRequest) as refused:
        reader.next()
    assert (refused.value.kind, refused.value.status) == (kind, STATUS[kind])
