"""What one node tells the others of itself, on the wire: MessagePack (arrays, no names), then zlib.

The figures of a provider come twice: summed up, and method by method in `methods`, which stays undecoded until somebody
asks for that provider. So taking a snapshot in costs some fifty rows, not three thousand. Figures are of the last five
minutes at most where they are windows, else since the node's start; durations are seconds.

A decoded snapshot keeps its bytes alive (`methods` points into them).
"""

from __future__ import annotations

import zlib
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from lasso_trio.errors import LassoError
from lasso_trio.providers.latency import MIDDLES, LogHistogram, Window

FORMAT: Final = 1
MAX_BYTES: Final = 32 * 1024 * 1024
"""Of a snapshot, unpacked."""
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
        """A copy of its own."""
        made = Window()
        made.latency = _histogram(self.latency, self.latency_s)
        made.censored = _histogram(self.censored, self.censored_s)
        made.failures = self.failures
        return made


def _histogram(buckets: Buckets, total: float) -> LogHistogram:
    made = LogHistogram()
    made.buckets, made.count, made.total = buckets.copy(), sum(buckets.values()), total
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
    methods: msgspec.Raw
    """MessagePack of a tuple of `MethodShare`."""


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


def encode_methods(methods: tuple[MethodShare, ...]) -> msgspec.Raw:
    return msgspec.Raw(_encoder.encode(methods))


def methods_of(provider: ProviderShare) -> tuple[MethodShare, ...]:
    """Raises BadSnapshot."""
    try:
        return _methods.decode(provider.methods)
    except msgspec.DecodeError as fault:
        raise BadSnapshot(str(fault)) from fault


def encode(snapshot: Snapshot) -> bytes:
    """Not yet packed: quick, for what is long in it is encoded already."""
    return _encoder.encode(snapshot)


def pack(encoded: bytes) -> bytes:
    """As it travels. Milliseconds for a large one."""
    return zlib.compress(encoded, LEVEL)


def decode(packed: bytes) -> Snapshot:
    """Raises BadSnapshot, also for one that unpacks to more than `MAX_BYTES`."""
    unpacker = zlib.decompressobj()
    try:
        plain = unpacker.decompress(packed, MAX_BYTES)
        if not unpacker.eof:
            raise BadSnapshot("cut off, or too large")
        return _decoder.decode(plain)
    except (zlib.error, msgspec.DecodeError) as fault:
        raise BadSnapshot(str(fault)) from fault
