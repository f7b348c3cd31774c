"""Pages and calls of one running node, over httpx: bounded in time, never raising for what a network does.

A probe's library at a probe's pace: nothing here is on a call's way. What a node answers is text, never markup.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import httpx  # noqa: ASYNC127  (off the call's way)
import msgspec
import trio

from lasso_trio.check.page import Page
from lasso_trio.probe.asker import tls_context

USER_AGENT: Final = "lasso-check"
LONGEST_WAIT_S: Final = 5.0
MOST_CHARACTERS: Final = 160
MOST_CONNECTIONS: Final = 100
FAULTS: Final = (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError, trio.TooSlowError, ValueError)
"""What asking may raise. ValueError: of names that cannot be looked up, and of what cannot be encoded."""


@attrs.frozen
class Said:
    """What a call came to. `problem` is empty when it has a result; `meta` is `lasso_meta`."""

    status: int = 0
    problem: str = ""
    meta: Mapping[str, Any] = attrs.field(factory=dict)
    retry_after: str | None = None
    seconds: float = 0.0

    @property
    def limited(self) -> bool:
        return self.status == 429

    @property
    def provider(self) -> str:
        """Who answered; empty when it was the node itself, or nobody."""
        selected = self.meta.get("selected_provider")
        return str(selected.get("id", "")) if isinstance(selected, dict) else ""


@attrs.frozen(eq=False)
class Caller:
    """`open` makes one. `headers` go with calls only: pages are looked at as a stranger."""

    headers: Mapping[str, str]
    timeout: float
    client: httpx.AsyncClient

    @classmethod
    @asynccontextmanager
    async def open(cls, headers: Mapping[str, str], timeout: float) -> AsyncIterator[Caller]:
        async with httpx.AsyncClient(
            http2=True,
            verify=tls_context(),
            headers={"user-agent": USER_AGENT},
            timeout=timeout,
            limits=httpx.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=MOST_CONNECTIONS),
            trust_env=False,
            follow_redirects=False,
        ) as client:
            yield cls(headers, timeout, client)

    async def get(self, url: str, headers: Mapping[str, str] = {}) -> Page:
        return await self.page("GET", url, headers)

    async def page(self, verb: str, url: str, headers: Mapping[str, str] = {}, body: bytes = b"") -> Page:
        """Whatever happens is a Page; waits for `timeout` altogether."""
        began = trio.current_time()
        try:
            with trio.fail_after(self.timeout):
                reply = await self.client.request(verb, url, headers=dict(headers), content=body)
        except FAULTS as fault:
            return Page(url, seconds=trio.current_time() - began, fault=words(fault))
        kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
        location = reply.headers.get("location", "")
        return Page(
            url, reply.status_code, kind, reply.content, trio.current_time() - began, reply.http_version, location
        )

    async def call(self, url: str, method: str, params: list[Any], headers: Mapping[str, str] = {}) -> Said:
        """One call; one that is refused by the client limit waits once, as long as it is told and at most five s."""
        body = msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        said = await self.post(url, body, headers)
        if not said.limited:
            return said
        await trio.sleep(min(LONGEST_WAIT_S, float(said.retry_after or 1)))
        return await self.post(url, body, headers)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str] = {}) -> Said:
        """`body` is one call or a batch. Never raises but what cancels."""
        began = trio.current_time()
        sent = {"content-type": "application/json", **self.headers, **headers}
        try:
            with trio.fail_after(self.timeout):
                reply = await self.client.post(url, headers=sent, content=body)
        except FAULTS as fault:
            return Said(problem=words(fault), seconds=trio.current_time() - began)
        said = read(reply.status_code, reply.content)
        waited = reply.headers.get("retry-after")
        return attrs.evolve(said, retry_after=_seconds(waited), seconds=trio.current_time() - began)


def _seconds(text: str | None) -> str | None:
    return text if text is not None and text.isascii() and text.isdigit() else None


def read(status: int, body: bytes) -> Said:
    """What an answer says. Pure. A batch counts as its first answer."""
    try:
        row = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return Said(status, f"HTTP {status}, no JSON")
    row = row[0] if isinstance(row, list) and row else row
    if not isinstance(row, dict):
        return Said(status, f"HTTP {status}, no JSON-RPC")
    meta = row.get("lasso_meta")
    meta = meta if isinstance(meta, dict) else {}
    error = row.get("error")
    if isinstance(error, dict):
        return Said(status, short(f"{error.get('code')} {error.get('message')}"), meta)
    return Said(status, "" if status == 200 and "result" in row else f"HTTP {status}", meta)


def words(fault: BaseException) -> str:
    """httpx wraps what a socket says."""
    if isinstance(fault, trio.TooSlowError | httpx.TimeoutException):
        return "no answer in time"
    return short(str(fault) or str(fault.__cause__ or "") or type(fault).__name__)


def short(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:MOST_CHARACTERS]
