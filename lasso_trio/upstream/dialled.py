"""What dialling gives: a stream that is ready for the first request, and what each stage of getting it took."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import trio


@attrs.frozen
class Dialled:
    """Seconds; 0.0 for a stage that was not needed (an address instead of a name, no TLS)."""

    stream: trio.abc.Stream
    resolve: float = 0.0
    connect: float = 0.0
    tls: float = 0.0


Dial = Callable[[], Awaitable[Dialled]]
"""Raises ResolveFault, ConnectFault or TlsFault. Cancelled: nothing is left open."""
