"""Bytes on the wire, with what TLS adds: two integers that the streams of one side or one endpoint add to."""

from __future__ import annotations

import trio

from lasso_trio.upstream.raw_stream import RawStream, Traffic
from lasso_trio.upstream.tls_stream import TlsStream


def count(stream: trio.abc.Stream, traffic: Traffic) -> None:
    """From now on `traffic` has what goes over `stream`, where a socket is below it."""
    raw = stream.raw if isinstance(stream, TlsStream) else stream
    if isinstance(raw, RawStream):
        raw.traffic = traffic
