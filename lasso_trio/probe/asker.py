"""One endpoint over HTTP: one question at a time, paced and counted. Every failure becomes an `Answer`.

httpx is at home here: a probe may cost a millisecond a call, and wants HTTP/2. The pace is by calls, a batch of n being
n of them, so what we spend at an endpoint in a second is bounded whatever is asked. An endpoint that throttles us is
left alone for as long as it says (up to a bound) and asked once more.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import attrs
import httpx  # noqa: ASYNC127  (the tool that was asked for; off the call's way)
import msgspec
import trio

from lasso_trio.probe.answer import Answer, Told, read, read_batch
from lasso_trio.probe.finding import Spent
from lasso_trio.probe.target import Target
from lasso_trio.upstream.tls import trust

LARGEST_BODY: Final = 8 * 1024 * 1024
LONGEST_WAIT_S: Final = 5.0
USUAL_WAIT_S: Final = 1.0
USER_AGENT: Final = "lasso-probe"


@attrs.frozen
class Manners:
    """`calls_per_s` per endpoint; `timeout_s` per request; `samples` for the latency; `head_wait_s` for a new head."""

    calls_per_s: float = 20.0
    timeout_s: float = 10.0
    samples: int = 20
    head_wait_s: float = 15.0


@attrs.define(eq=False)
class Counter:
    """What was spent at one endpoint so far, over all transports."""

    requests: int = 0
    calls: int = 0
    throttled: int = 0

    def add(self, calls: int = 1) -> None:
        self.requests += 1
        self.calls += calls

    def snapshot(self) -> Spent:
        return Spent(self.requests, self.calls, self.throttled)


@attrs.define(eq=False)
class Asker:
    """Not for two tasks at once. `open` makes one."""

    target: Target
    manners: Manners
    counter: Counter
    _client: httpx.AsyncClient
    _free_at: float = attrs.field(default=0.0, init=False)

    @classmethod
    @asynccontextmanager
    async def open(cls, target: Target, manners: Manners, counter: Counter) -> AsyncIterator[Asker]:
        """An asker for the length of a block; the connection is closed behind it. `target` has a `url`."""
        assert target.url is not None
        secure = target.url.reveal().lower().startswith("https:")
        async with httpx.AsyncClient(
            http2=True,
            verify=tls_context() if secure else False,  # reading the store takes a while
            headers=_headers(target.headers),
            timeout=manners.timeout_s,
            limits=httpx.Limits(max_connections=2, keepalive_expiry=60),
            trust_env=False,
            follow_redirects=False,
        ) as client:
            yield cls(target, manners, counter, client)

    async def ask(self, method: str, params: list[Any]) -> Answer:
        """Call once, or twice when throttled. Raises nothing but what cancels."""
        body = msgspec.json.encode(_call(method, params, 1))
        return await self._patiently(body, 1)

    async def ask_batch(self, method: str, size: int) -> Answer:
        """A batch of `size` equal calls; a result when all have one."""
        body = msgspec.json.encode([_call(method, [], number) for number in range(1, size + 1)])
        return await self._patiently(body, size, is_batch=True)

    async def _patiently(self, body: bytes, calls: int, *, is_batch: bool = False) -> Answer:
        answer = await self._paced(body, calls, is_batch=is_batch)
        if answer.told is not Told.THROTTLED:
            return answer
        self.counter.throttled += 1
        wait_s = USUAL_WAIT_S if answer.wait_s is None else answer.wait_s
        if wait_s > LONGEST_WAIT_S:
            return answer
        await trio.sleep(wait_s)
        return await self._paced(body, calls, is_batch=is_batch)

    async def _paced(self, body: bytes, calls: int, *, is_batch: bool) -> Answer:
        await trio.sleep_until(self._free_at)
        self.counter.add(calls)
        started = trio.current_time()
        self._free_at = started + calls / self.manners.calls_per_s
        answer = await self._exchange(body, calls if is_batch else None)
        return attrs.evolve(answer, seconds=trio.current_time() - started)

    async def _exchange(self, body: bytes, batch: int | None) -> Answer:
        """The one place where httpx's errors end. httpx times each read; the scope bounds them together."""
        try:
            with trio.fail_after(self.manners.timeout_s):
                return await self._post(body, batch)
        except (trio.TooSlowError, httpx.TimeoutException):
            return Answer(Told.TIMEOUT, text=f"no answer within {self.manners.timeout_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError) as fault:
            return Answer(Told.FAILED, text=self.target.clean(str(fault) or type(fault).__name__))

    async def _post(self, body: bytes, batch: int | None) -> Answer:
        assert self.target.url is not None
        url, headers = self.target.url.reveal(), {"content-type": "application/json"}
        async with self._client.stream("POST", url, content=body, headers=headers) as response:
            got = await _bounded(response)
        if got is None:
            return Answer(Told.LARGE, text=f"more than {LARGEST_BODY} bytes")
        told = {name.lower(): value for name, value in response.headers.items()}
        wall = datetime.now(UTC).timestamp()
        status = response.status_code
        answer = read(status, got, told, wall) if batch is None else read_batch(status, got, told, wall, batch)
        return attrs.evolve(answer, http_version=response.http_version)


async def _bounded(response: httpx.Response) -> bytes | None:
    """The body; None when it is too large. Cancelled, not left: generators that are left behind are not cleaned up."""
    got = bytearray()
    with trio.CancelScope() as enough:
        async for piece in response.aiter_bytes():
            got += piece
            if len(got) > LARGEST_BODY:
                enough.cancel("the result is too large for us")
    return None if enough.cancelled_caught else bytes(got)


def tls_context() -> ssl.SSLContext:
    """A verifying context of its own: httpcore writes the protocols it offers (ALPN) into it."""
    return trust.__wrapped__()  # the one that is remembered belongs to the proxy


def _headers(extra: Mapping[str, Any]) -> dict[str, str]:
    return {"user-agent": USER_AGENT} | {name: value.reveal() for name, value in extra.items()}


def _call(method: str, params: list[Any], id_: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}
