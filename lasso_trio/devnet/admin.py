"""The devnet's admin endpoint: look at it and change it over HTTP, from a shell or another process. Loopback only.

    GET    /state                        chain, providers, counts, faults
    POST   /providers/{name}/faults      the JSON of `Faults`: replaces what is set
    DELETE /providers/{name}/faults      nothing goes wrong any more
    POST   /providers/{name}/kill        close its listener and connections
    POST   /providers/{name}/revive      serve it again, on the same port
    POST   /providers/{name}/drop        drop its WebSockets
    POST   /reorg                        {"depth": n, "longer_by": 0}
    POST   /advance                      {"blocks": n}

Answers are JSON: 200 with the state of the provider or the chain; otherwise {"error": what is wrong}.
Web pages are refused (403), so that a page in the developer's browser cannot reach through loopback.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs
import msgspec
import trio

from lasso_trio.devnet.faults import Faults
from lasso_trio.devnet.http_server import Reply, Request, converse, open_port
from lasso_trio.devnet.json_types import JsonObject

if TYPE_CHECKING:
    from lasso_trio.devnet.network import Devnet

_MOST_BLOCKS: Final = 100_000


class Refusal(Exception):
    """The request cannot be done; `status` is the HTTP answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def serve(devnet: Devnet, port: int = 0, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
    """Serve until cancelled; started with the port. Raises OSError when it is taken."""
    listeners = await open_port("127.0.0.1", port)
    task_status.started(listeners[0].socket.getsockname()[1])
    await trio.serve_listeners(partial(converse, handler=Admin(devnet).handle), listeners)


def state(devnet: Devnet) -> JsonObject:
    chain, now = devnet.chain, trio.current_time()
    head = chain.view(now).block(chain.height(now))
    return {
        "chain": {
            "chain_id": chain.chain_id,
            "height": chain.height(now),
            "hash": head.hash if head else None,
            "block_time_s": chain.block_time,
            "reorgs": chain.reorgs,
        },
        "providers": {name: provider_state(devnet, name) for name in devnet.providers},
    }


def provider_state(devnet: Devnet, name: str) -> JsonObject:
    provider, is_up = devnet.providers[name], devnet.is_up(name)
    return {
        "up": is_up,
        "url": devnet.url(name) if provider.port else None,
        "ws_url": devnet.ws_url(name) if provider.port else None,
        "height": provider.site().view.head,
        "open_connections": provider.open_connections,
        "open_websockets": provider.open_websockets,
        "requests": provider.requests,
        "calls": dict(provider.calls),
        "crashes": list(provider.crashes),
        "faults": provider.plan.faults.to_json(),
    }


@attrs.frozen
class Admin:
    devnet: Devnet

    async def handle(self, request: Request) -> Reply:
        try:
            if request.from_browser:
                raise Refusal(403, "web pages may not use this endpoint")
            status, answer = 200, await self._do(request)
        except Refusal as refusal:
            status, answer = refusal.status, {"error": str(refusal)}
        except (ValueError, OverflowError) as wrong:
            status, answer = 400, {"error": str(wrong)}
        except Exception as mistake:  # ours: the devnet must outlive it
            status, answer = 500, {"error": repr(mistake)}
        return Reply(status, msgspec.json.format(msgspec.json.encode(answer)) + b"\n")

    async def _do(self, request: Request) -> JsonObject:
        match [request.method, *request.target.partition("?")[0].strip("/").split("/")]:
            case ["GET", "state"]:
                return state(self.devnet)
            case ["POST", "reorg"]:
                return self._reorg(_object(request.body))
            case ["POST", "advance"]:
                return self._advance(_object(request.body))
            case [verb, "providers", name, action] if (verb, action) in _ACTIONS:
                if name not in self.devnet.providers:
                    raise Refusal(404, f"no provider {name!r}; there are {', '.join(self.devnet.providers)}")
                await _ACTIONS[verb, action](self.devnet, name, request.body)
                return provider_state(self.devnet, name)
            case [_, "state" | "reorg" | "advance"] | [_, "providers", _, "faults" | "kill" | "revive" | "drop"]:
                raise Refusal(405, f"{request.method} is not for {request.target}")
        raise Refusal(404, f"nothing at {request.target}; try GET /state")

    def _reorg(self, body: JsonObject) -> JsonObject:
        self.devnet.reorg(_count(body, "depth"), longer_by=_count(body, "longer_by", 0))
        return state(self.devnet)

    def _advance(self, body: JsonObject) -> JsonObject:
        self.devnet.advance(_count(body, "blocks", 1))
        return state(self.devnet)


async def _set_faults(devnet: Devnet, name: str, body: bytes) -> None:
    devnet.set_faults(name, Faults.from_json(_object(body)))


async def _clear_faults(devnet: Devnet, name: str, _: bytes) -> None:
    devnet.set_faults(name)


async def _kill(devnet: Devnet, name: str, _: bytes) -> None:
    await devnet.kill(name)


async def _revive(devnet: Devnet, name: str, _: bytes) -> None:
    try:
        await devnet.revive(name)
    except OSError as taken:
        raise Refusal(409, f"the port of {name} is taken: {taken}") from taken


async def _drop(devnet: Devnet, name: str, _: bytes) -> None:
    devnet.providers[name].drop_websockets()


_ACTIONS: Final[dict[tuple[str, str], Callable[[Devnet, str, bytes], Awaitable[None]]]] = {
    ("POST", "faults"): _set_faults,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "kill"): _kill,
    ("POST", "revive"): _revive,
    ("POST", "drop"): _drop,
}


def _object(body: bytes) -> JsonObject:
    try:
        value = msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, RecursionError) as wrong:
        raise Refusal(400, f"the body is not JSON: {wrong}") from wrong
    if not isinstance(value, dict):
        raise Refusal(400, "the body must be a JSON object")
    return value


def _count(body: JsonObject, name: str, default: int | None = None) -> int:
    value = body.get(name, default)
    if type(value) is not int or not 0 <= value <= _MOST_BLOCKS:
        raise Refusal(400, f"{name!r} must be a whole number from 0 to {_MOST_BLOCKS}")
    return value
