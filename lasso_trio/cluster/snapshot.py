"""What one node tells the others of itself, on the wire: MessagePack, as arrays without names.

The figures of a provider come twice: summed up, and method by method in `methods`, which stays packed (zlib) until
somebody asks for that provider. So taking a snapshot in costs some fifty rows, not three thousand. Figures are of the
last five minutes at most where they are windows, else since the node's start; durations are seconds.
"""

from __future__ import annotations

import zlib
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from lasso_trio.errors import LassoError
from lasso_trio.providers.latency import MIDDLES, LogHistogram, Window

FORMAT: Final = 1
MOST_UNPACKED: Final = 4 * 1024 * 1024
"""Bytes of one provider's methods."""
LEVEL: Final = 1

Count = Annotated[int, Meta(ge=0)]
Bucket = Annotated[int, Meta(ge=0, lt=len(MIDDLES))]
Buckets: TypeAlias = dict[Bucket, Count]


class BadSnapshot(LassoError):
    """Not what this version understands."""


class WindowShare(msgspec.Struct, array_like=True, frozen=True):
    """A `latency.Window` as it travels."""

    latency: Buckets
    latency_s: float
    censored: Buckets
    censored_s: float
    failures: Count

    @classmethod
    def of(cls, window: Window) -> WindowShare:
        seen, censored = window.latency, window.censored
        return cls(seen.buckets, seen.total, censored.buckets, censored.total, window.failures)

    def window(self) -> Window:
        """To be read and not to be added to: its buckets are the share's own."""
        made = Window()
        made.latency = _histogram(self.latency, self.latency_s)
        made.censored = _histogram(self.censored, self.censored_s)
        made.failures = self.failures
        return made


def _histogram(buckets: Buckets, total: float) -> LogHistogram:
    made = LogHistogram()
    made.buckets, made.count, made.total = buckets, sum(buckets.values()), total
    return made


class MethodShare(msgspec.Struct, array_like=True, frozen=True):
    """`answered`, `failures`: since start, of all profiles that name the provider."""

    method: str
    answered: Count
    failures: Count
    window: WindowShare


class ProviderShare(msgspec.Struct, array_like=True, frozen=True):
    """Both transports together. `lag`: blocks behind, negative; None where it is not known."""

    provider: str
    name: str
    live: bool
    attempts: Count
    answered: Count
    failures: Count
    throttled: Count
    lag: int | None
    window: WindowShare
    methods: bytes
    """A tuple of `MethodShare`, packed."""


class ChainShare(msgspec.Struct, array_like=True, frozen=True):
    profile: str
    chain: str
    chain_id: int
    calls: Count
    errors: Count
    limited: Count
    per_second: float
    providers: tuple[ProviderShare, ...]


class Snapshot(msgspec.Struct, array_like=True, frozen=True):
    """`sequence` grows from one snapshot of a node's life to the next."""

    sequence: Count
    version: str
    readiness: str
    uptime_s: float
    chains: tuple[ChainShare, ...]


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Snapshot)
_methods: Final = msgspec.msgpack.Decoder(tuple[MethodShare, ...])


def pack_methods(methods: tuple[MethodShare, ...]) -> bytes:
    return zlib.compress(_encoder.encode(methods), LEVEL)


def methods_of(provider: ProviderShare) -> tuple[MethodShare, ...]:
    """Raises BadSnapshot, also for what unpacks to more than `MOST_UNPACKED`."""
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(provider.methods, MOST_UNPACKED)
        if not unpacker.eof:
            raise BadSnapshot("cut off, or too large")
        return _methods.decode(plain)
    except (zlib.error, msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise BadSnapshot(str(fault)) from fault


def encode(snapshot: Snapshot) -> bytes:
    return _encoder.encode(snapshot)


def decode(encoded: bytes) -> Snapshot:
    """Raises BadSnapshot."""
    try:
        return _decoder.decode(encoded)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise BadSnapshot(str(fault)) from fault
