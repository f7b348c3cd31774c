"""What the front door has seen since it opened: plain integers on one object, read by telemetry, never reset."""

from __future__ import annotations

import attrs


@attrs.define(eq=False)
class DoorCounters:
    accepted: int = 0
    """Connections taken from the kernel."""
    turned_away: int = 0
    """Connections beyond `max_connections` (answered 503) or `max_connections_per_address` (429), and closed."""
    requests: int = 0
    """Whole requests given to the rpc handler."""
    refused: int = 0
    """Requests answered by the lane itself: malformed, too large, no room."""
    handed_over: int = 0
    """Connections given to another lane."""
    handler_crashes: int = 0
    connection_crashes: int = 0
    broken_answers: int = 0
    """Streamed answers whose source failed after their head was sent."""
    hangups: int = 0
    """Calls cancelled because their client had gone."""
    head_timeouts: int = 0
    body_timeouts: int = 0
    idle_timeouts: int = 0
    write_timeouts: int = 0
