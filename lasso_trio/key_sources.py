"""Sets of public keys that live behind a URL: fetched beside the calls, never for one.

A service above `access`, which only holds what is fetched. They are asked for at the start, every `refresh_s` after it,
and soon when a token names a key that is not known, for then keys were exchanged. What cannot be had leaves the keys of
before in force. Bounded in time and size, redirects are not followed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

import attrs
import httpx  # noqa: ASYNC127  (off the call's way)
import structlog
import trio

from lasso_trio.access.gates import Gates
from lasso_trio.access.token import TokenRefused, Tokens
from lasso_trio.config.sections.jwt import jwks_problem
from lasso_trio.errors import LassoError
from lasso_trio.routing.directory import Directory
from lasso_trio.upstream.tls import trust

PERIOD: Final = 1.0
"""Seconds between two looks for what is due."""
FETCH_S: Final = 5.0
MOST_BYTES: Final = 262_144
AGAIN_S: Final = 10.0
"""No source is asked more often, whatever tokens say."""

log = structlog.get_logger(__name__)


class FetchFault(LassoError):
    """The keys cannot be had; says why, without the URL."""


@attrs.define(eq=False)
class KeySource:
    """Where the keys of `tokens` come from. `asked_at`: trio's clock."""

    tokens: Tokens
    asked_at: float | None = None
    _misses: int = 0

    def is_due(self, now: float) -> bool:
        if self.asked_at is None:
            return True
        tokens = self.tokens
        hurry = tokens.keys is None or tokens.misses != self._misses
        return now - self.asked_at >= (AGAIN_S if hurry else tokens.policy.refresh_s)

    async def refresh(self, now: float) -> None:
        """Fetch and use them. Raises only Cancelled, and then nothing is changed."""
        self.asked_at, self._misses = now, self.tokens.misses
        url = self.tokens.policy.jwks_url
        assert url is not None, "made for sources behind a URL only"
        try:
            self.tokens.use(_checked(await fetched(url.reveal())))
        except (FetchFault, TokenRefused) as fault:
            log.warning("access.keys_not_fetched", source=str(url), reason=str(fault))


@attrs.define(eq=False)
class KeySources:
    """Those of all profiles. `run` is a service: it follows reloads, and has nothing to do where keys are at hand."""

    gates: Gates
    directory: Callable[[], Directory]
    _sources: dict[str, KeySource] = attrs.field(factory=dict)

    async def run(self) -> NoReturn:
        """Fetch what is due, until cancelled."""
        while True:
            for source in self._due(trio.current_time()):
                await source.refresh(trio.current_time())
            await trio.sleep(PERIOD)

    def _due(self, now: float) -> list[KeySource]:
        wanted = {}
        for slug, routed in self.directory().profiles.items():
            gate = self.gates.of(slug, routed.profile.access)
            if gate is not None and gate.tokens is not None and gate.tokens.policy.jwks_url is not None:
                before = self._sources.get(slug)
                same = before is not None and before.tokens is gate.tokens
                wanted[slug] = before if before is not None and same else KeySource(gate.tokens)
        self._sources = wanted
        return [source for source in wanted.values() if source.is_due(now)]


def _checked(body: bytes) -> bytes:
    problem = jwks_problem(body)
    if problem is not None:
        raise FetchFault(f"what is there {problem}")
    return body


async def fetched(url: str) -> bytes:
    """What is at `url`. Raises FetchFault."""
    context = trust.__wrapped__()  # one of its own: httpcore writes into it what it offers
    with trio.move_on_after(FETCH_S):
        try:
            async with httpx.AsyncClient(verify=context, trust_env=False, timeout=FETCH_S) as client:
                return await _body(client, url)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as fault:
            raise FetchFault(type(fault).__name__) from None
    raise FetchFault(f"no answer within {FETCH_S:g} s")


async def _body(client: httpx.AsyncClient, url: str) -> bytes:
    async with client.stream("GET", url) as response:
        if response.status_code != 200:
            raise FetchFault(f"HTTP {response.status_code}")
        body = bytearray()
        with trio.CancelScope() as enough:  # cancelled, not left: generators that are left behind are not cleaned up
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MOST_BYTES:
                    enough.cancel("that is no set of keys")
    if len(body) > MOST_BYTES:
        raise FetchFault(f"more than {MOST_BYTES} bytes")
    return bytes(body)
