"""How much one WebSocket client may take: messages, bytes, calls, seconds; and what was counted. Values only."""

from __future__ import annotations

import attrs

MIB = 1024 * 1024


@attrs.frozen
class WsLimits:
    """Sizes in bytes, times in seconds."""

    max_message_bytes: int = 8_000_000
    """A longer message from the client closes its socket with 1009."""
    max_in_flight: int = 32
    """Messages being answered, and calls that are carried out, those of batches too; what comes beyond waits."""
    max_waiting: int = 1_024
    """Messages that were read and wait to be answered; beyond, the socket is not read, nor are pings answered."""
    waiting_bytes: int = MIB // 2
    """That they may have together before the socket is not read. The last of them may be long."""
    max_subscriptions: int = 128
    queue_messages: int = 256
    """Notifications that may wait for a client which does not read; one more closes its socket with 1013.

    Those that were published together, as a block's logs are, count as one for each piece of 64 KiB. Where these pieces
    are more than may wait, they may all the same, within `max_held_bytes` (see `ws_backlog`).
    """
    queue_bytes: int = 4 * MIB
    max_held_bytes: int = 128 * MIB
    """Results held at one time for one socket. They are sent whole, as one message each.

    As much again may be waiting of what was published in one go: replays and bursts.
    """
    ping_s: float = 30.0
    misses: int = 2
    """Pings without a sign of life in between, after which the socket is closed with 1002."""
    idle_s: float = 7_200.0
    """Without a call and without a subscription: 1001."""
    message_s: float = 60.0
    """From the first byte of a message to its last: 1008."""
    write_s: float = 30.0
    """Without the client taking a byte of what waits: the connection is reset."""
    close_s: float = 1.0
    """For the client to answer our close."""


@attrs.define(eq=False)
class WsCounters:
    """What happened since the start. Never reset."""

    opened: int = 0
    refused: int = 0
    """Handshakes that were answered with anything but 101."""
    messages: int = 0
    """Messages from clients."""
    calls: int = 0
    """Calls in them, those of batches too."""
    subscribed: int = 0
    published: int = 0
    """Notifications that were written or queued; those in one piece count as one."""
    conflated: int = 0
    """Notifications that a newer one has replaced while they waited."""
    overflows: int = 0
    heartbeat_timeouts: int = 0
    idle_timeouts: int = 0
    message_timeouts: int = 0
    write_timeouts: int = 0
    call_crashes: int = 0
