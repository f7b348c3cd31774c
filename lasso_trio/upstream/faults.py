"""Foreign errors become ours here, and only here: what went wrong with an upstream, in the words routing decides by.

Each fault answers three questions: may the provider have seen the request (`dispatched`: then a call that is not safe
to repeat is not sent again), is it our own doing (`local`: never held against the provider), and what is the short word
for logs and metrics (`reason`). Messages name the origin only: paths, queries and headers may hold keys.

    UpstreamFault
    ├── ResolveFault   not dispatched    resolver, no_address
    ├── ConnectFault   not dispatched    refused, unreachable, timed_out, failed; local: no_descriptors, no_ports
    ├── TlsFault       not dispatched    certificate, handshake, eof
    ├── PoolFull       local             pool_full
    ├── PoolClosed     local             pool_closed
    ├── Disconnected   dispatched        reset, eof, truncated, closed, send_cut, neglected
    ├── Expired        if it was sent    deadline, queued; local: while it waited for a connection of ours
    ├── Malformed      dispatched        not_http, head, framing, chunk, encoding
    └── TooLarge       dispatched        head, body
"""

from __future__ import annotations

import errno
import ssl
from collections.abc import Sequence
from typing import Final, Self

import trio

from lasso_trio.errors import LassoError
from lasso_trio.upstream.raw_stream import NothingSent

NETWORK_ERRORS: Final = (OSError, ssl.SSLError, trio.BrokenResourceError, trio.ClosedResourceError)
"""What a stream may raise: catch exactly these at the edge and hand them to a mapper below."""


class UpstreamFault(LassoError):
    """Abstract: an exchange with an upstream failed below JSON-RPC."""

    dispatched: bool = True
    local: bool = False

    def __init__(self, reason: str, detail: str = "", *, dispatched: bool | None = None, local: bool = False) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.origin = ""
        if dispatched is not None:
            self.dispatched = dispatched
        if local:
            self.local = True

    def at(self, origin: str) -> Self:
        """Say where it happened (`scheme://host:port`); the innermost rooms do not know."""
        self.origin = origin
        return self

    def __str__(self) -> str:
        words = f"{type(self).__name__}({self.reason})"
        words = f"{words} at {self.origin}" if self.origin else words
        return f"{words}: {self.detail}" if self.detail else words


class ResolveFault(UpstreamFault):
    """The host name has no usable address, or the resolver failed and nothing was remembered."""

    dispatched = False


class ConnectFault(UpstreamFault):
    """No address accepted a connection. `local` when this machine is out of descriptors or ports."""

    dispatched = False


class TlsFault(UpstreamFault):
    """The handshake failed, or the certificate is not for this host or not trusted."""

    dispatched = False


class PoolFull(UpstreamFault):
    """All connections are busy and the queue for them is at its cap."""

    dispatched = False
    local = True


class PoolClosed(UpstreamFault):
    """The pool was closed (reload, shutdown) before this call got a connection."""

    dispatched = False
    local = True


class Disconnected(UpstreamFault):
    """The connection was lost after the request (or a part of it) went out. `dispatched` is False if none of it did."""


class Expired(UpstreamFault):
    """The deadline passed. `dispatched` tells whether the request had gone out."""


class Malformed(UpstreamFault):
    """The answer is not HTTP as RFC 9112 has it, or framed in a way that two readers could read differently."""


class TooLarge(UpstreamFault):
    """The answer's head or body is beyond the cap."""


_CONNECT_REASONS: Final = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "refused",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTUNREACH: "unreachable",
    errno.ETIMEDOUT: "timed_out",
    errno.EMFILE: "no_descriptors",
    errno.ENFILE: "no_descriptors",
    errno.EADDRNOTAVAIL: "no_ports",
}
_LOCAL_REASONS: Final = {"no_descriptors", "no_ports"}


def connect_fault(errors: Sequence[OSError]) -> ConnectFault:
    """One fault for all addresses that were tried: the last error names it, local ones go first."""
    reasons = [_CONNECT_REASONS.get(error.errno or 0, "failed") for error in errors] or ["failed"]
    reason = next((word for word in reasons if word in _LOCAL_REASONS), reasons[-1])
    return ConnectFault(reason, f"{len(errors)} address(es) tried", local=reason in _LOCAL_REASONS)


def tls_fault(error: BaseException) -> TlsFault:
    """A failed handshake: trio wraps the `ssl` error, so look one level down."""
    cause = error if isinstance(error, ssl.SSLError) else error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return TlsFault("certificate", cause.verify_message)
    # Which of the two an end in the handshake is depends on Python's patch release.
    if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return TlsFault("handshake", getattr(cause, "reason", None) or "")
    return TlsFault("eof", "the peer left during the handshake")


def lost(error: BaseException, *, answer_begun: bool = False) -> Disconnected:
    """A connection that broke in use. `answer_begun`: some bytes of the answer had been read."""
    if isinstance(error, NothingSent):
        return Disconnected("reset", "before anything was sent", dispatched=False)
    if isinstance(error, trio.ClosedResourceError):
        return Disconnected("closed", "by us", local=True)
    if answer_begun:
        return Disconnected("truncated", "the connection broke in the middle of the answer")
    if isinstance(error.__cause__, ssl.SSLEOFError):
        return Disconnected("eof", "the connection ended before the answer")
    return Disconnected("reset", "the connection broke before the answer")
