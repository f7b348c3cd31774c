"""A node that answers from a table, without a socket: what it is asked is kept."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import attrs
import httpx

from lasso_trio.check.caller import Caller

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


def reply(row: object, status: int = 200, **headers: str) -> httpx.Response:
    return httpx.Response(status, json=row, headers={name.replace("_", "-"): value for name, value in headers.items()})


def result(value: object = "0x1", **meta: Any) -> httpx.Response:
    return reply({"jsonrpc": "2.0", "id": 1, "result": value} | ({"lasso_meta": meta} if meta else {}))


@attrs.define(eq=False)
class FakeNode:
    """`pages` by path, or by verb and path. One that is not there is a 404."""

    pages: dict[str, Answer] = attrs.field(factory=dict)
    asked: list[httpx.Request] = attrs.field(factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        path = request.url.path
        found = self.pages.get(f"{request.method} {path}", self.pages.get(path))
        if isinstance(found, Exception):
            raise found
        if found is None:
            return reply({"errors": {"detail": "Not Found"}}, 404)
        if callable(found):
            return found(request)
        return httpx.Response(found.status_code, headers=found.headers, content=found.content)

    @property
    def paths(self) -> list[str]:
        return [request.url.path for request in self.asked]

    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.asked if request.content]

    @asynccontextmanager
    async def caller(self, timeout: float = 5.0, **headers: str) -> AsyncIterator[Caller]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self.handle)) as client:
            yield Caller(headers, timeout, client)
