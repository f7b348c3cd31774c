"""How much one client connection may take: bytes, header lines, seconds.

Values only. The reader enforces the byte limits, the sweeper (`sweeper.py`) the time limits, to within its own period.
"""

from __future__ import annotations

import attrs


@attrs.frozen
class LaneLimits:
    """Sizes in bytes, times in seconds. Timeouts are counted per phase of a connection (`connection.Phase`)."""

    max_head_bytes: int = 16_384
    max_headers: int = 100
    max_body_bytes: int = 8_000_000
    unknown_body_charge: int = 9_000_000
    """Charged to the byte budget for a body whose final size is not known: chunked, or compressed."""
    max_connections: int = 20_000
    max_connections_per_address: int = 0
    """Of one address that is no trusted proxy, IPv6 by its /64; 0: as many as there are."""

    head_timeout: float = 10.0
    """From the first byte of a request head to its last."""
    body_timeout: float = 30.0
    """How long a sender may be in arrears of `min_body_rate`; a burst earns no credit beyond that."""
    min_body_rate: float = 8_192.0
    idle_timeout: float = 75.0
    """Between requests, and before the first byte of a new connection."""
    write_timeout: float = 30.0
    """Without the kernel taking more of an answer."""
    linger_timeout: float = 2.0
    """Reading on after a refusal, so that the client reads our answer instead of a reset."""
    linger_bytes: int = 16_777_216
    """Twice the largest body: a proxy before us sends a body that it has taken to its end, whatever we say meanwhile,
    and tells its client 502 when it is reset. Bytes that are thrown away cost next to nothing, and the time is bounded.
    """

    gzip_min_bytes: int = 4_096
    """Answers smaller than this are never compressed."""
