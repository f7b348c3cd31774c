"""The way to the other nodes: one pool of connections for each address, apart from those that calls use."""

from __future__ import annotations

from typing import Final

import attrs
import msgspec
import trio

from lasso_trio.cluster.address import Address
from lasso_trio.cluster.lifecycle import Sign
from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.errors import LassoError
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.faults import ConnectFault, UpstreamFault
from lasso_trio.upstream.http1 import Pool

PATH: Final = "/api/cluster/snapshot"
MEDIA: Final = "application/octet-stream"
MOST_ANSWER_BYTES: Final = 8 * 1024 * 1024
KEPT_S: Final = 45.0
_GONE: Final = frozenset({"refused", "unreachable"})


class Failure(LassoError):
    """An exchange that brought nothing. `sign` is None where it is our own fault."""

    def __init__(self, reason: str, sign: Sign | None) -> None:
        super().__init__(reason)
        self.reason, self.sign = reason, sign


class _Refusal(msgspec.Struct):
    error: str


_refusal: Final = msgspec.json.Decoder(_Refusal)


@attrs.define(eq=False)
class Lines:
    _pools: dict[Address, Pool] = attrs.field(factory=dict)

    async def ask(self, address: Address, frame: bytes, until: float) -> bytes:
        """The answer's frame, by the absolute time `until`. Raises Failure. Cancelled: the connection is closed."""
        pool = self._pools.get(address)
        if pool is None:
            pool = self._pools[address] = _pool(address)
        try:
            reply = await pool.exchange(frame, replay_safe=False, until=until)
        except UpstreamFault as fault:
            raise Failure(fault.reason, _sign(fault)) from fault
        if reply.status != 200:
            raise Failure(_refused(reply.status, reply.body), Sign.THERE)
        return reply.body

    async def drop(self, address: Address) -> None:
        """Nobody is asked there any more."""
        pool = self._pools.pop(address, None)
        if pool is not None:
            await pool.aclose()

    def expire(self) -> None:
        """Close what has not been used for long."""
        now = trio.current_time()
        for pool in self._pools.values():
            pool.expire(now)

    def close(self) -> None:
        """All of them, without a wait: idle connections end now, others with their exchange."""
        for pool in self._pools.values():
            pool.retire()
        self._pools.clear()


def _pool(address: Address) -> Pool:
    headers = {"Accept": Secret(MEDIA), "Content-Type": Secret(MEDIA)}
    endpoint = Endpoint.from_url(SecretUrl(address.origin + PATH), headers)
    most = MOST_ANSWER_BYTES  # and none of it is passed on as it comes
    return Pool(endpoint, max_connections=2, idle_expiry_s=KEPT_S, max_response_bytes=most, stream_threshold=most)


def _sign(fault: UpstreamFault) -> Sign | None:
    if fault.local:
        return None
    return Sign.GONE if isinstance(fault, ConnectFault) and fault.reason in _GONE else Sign.SILENT


def _refused(status: int, body: bytes) -> str:
    try:
        return _refusal.decode(body).error[:40]
    except msgspec.DecodeError:
        return f"http_{status}"
