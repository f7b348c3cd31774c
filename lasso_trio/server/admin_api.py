"""What an operator may order while the node runs. Behind a bearer token; without one configured there is no such path.

    GET  /admin/providers                               state of every instance, and who names it
    GET  /admin/learned                                 limits that instances told or showed
    POST /admin/providers/{which}/cordon | uncordon     out of all plans, and back in
    POST /admin/providers/{which}/breaker               {"state": "open" | "closed" | "half_open"}
    POST /admin/reload                                  read the profiles again

`which` is an instance's id or `profile/chain/provider`; orders hold for the instance, so for every profile that names
it, and until the node ends or the instance leaves. Every order is logged.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
import msgspec
import structlog
import trio
from quart import Response, request
from quart_trio import QuartTrio

from lasso_trio.access.credential import masked
from lasso_trio.config.reload import ReloadResult
from lasso_trio.config.secret import Secret
from lasso_trio.providers.breaker import Breaker, State
from lasso_trio.providers.learned import Kind
from lasso_trio.providers.registry import Instance
from lasso_trio.routing.directory import Directory
from lasso_trio.server.channel_view import channel_row

log = structlog.get_logger(__name__)

Row = dict[str, Any]
_encode: Final = msgspec.json.Encoder().encode
BY_OPERATOR: Final = "operator"
"""The reason of a breaker that was opened by order."""


class Order(msgspec.Struct):
    state: State


_decode_order: Final = msgspec.json.Decoder(Order).decode


@attrs.frozen(eq=False)
class Admin:
    """`directory`: the configuration that serves now."""

    token: Secret
    directory: Callable[[], Directory]
    reload: Callable[[str], Awaitable[ReloadResult]]

    def permits(self, authorization: str) -> bool:
        """Is this `Authorization` header ours? Takes as long whatever is wrong with it (RFC 6750, 2.1)."""
        scheme, _, given = authorization.partition(" ")
        same = hmac.compare_digest(given.strip().encode(), self.token.reveal().encode())
        return same and scheme.lower() == "bearer"

    def find(self, which: str) -> Instance | None:
        """By instance id, or by `profile/chain/provider`."""
        directory = self.directory()
        found = directory.registry.instances.get(which)
        if found is not None:
            return found
        slug, _, rest = which.partition("/")
        chain_name, _, provider_id = rest.partition("/")
        profile = directory.find(slug)
        chain = None if profile is None else profile.names.get(chain_name)
        providers = () if chain is None else chain.chain.providers
        ids = [provider.instance_id for provider in providers if provider.id == provider_id]
        return directory.registry.instances[ids[0]] if ids else None


def force(breaker: Breaker, state: State, now: float) -> None:
    """Bring it into `state`. Opened by order it stays so until another order; half-open it finds out by itself."""
    if state is State.CLOSED:
        breaker.close(now)
        return
    if state is State.OPEN or breaker.state(now) is State.CLOSED:
        breaker.quarantine(BY_OPERATOR, now)
    if state is State.HALF_OPEN:
        breaker.release(now, "ordered")


def serve(app: QuartTrio, admin: Admin) -> None:
    """Let `app` answer `/admin/…`."""

    @app.before_request
    async def check() -> Response | None:
        if not request.path.startswith("/admin/") or admin.permits(request.headers.get("authorization", "")):
            return None
        log.warning("admin.refused", path=masked(request.path))
        response = _json({"error": "Unauthorized"}, 401)
        response.headers["www-authenticate"] = "Bearer"
        return response

    @app.get("/admin/providers")
    async def providers() -> Response:
        return _json({"instances": _instances(admin.directory(), trio.current_time())})

    @app.get("/admin/learned")
    async def learned() -> Response:
        now = trio.current_time()
        return _json({"instances": [_learned(i, now) for i in admin.directory().registry.instances.values()]})

    @app.post("/admin/reload")
    async def reload() -> Response:
        result = await admin.reload("admin")
        return _json(_reloaded(result), 200 if result.accepted else 422)

    @app.post("/admin/providers/<path:which>/<any(cordon,uncordon,breaker):order>")
    async def order(which: str, order: str) -> Response:
        instance = admin.find(which)
        if instance is None:
            return _json({"error": "Provider not found", "provider": which}, 404)
        try:
            body: Any = await request.get_data(cache=False, as_text=False)
            _carry_out(instance, order, body)
        except msgspec.DecodeError:
            return _json({"error": 'the body must be {"state": "open" | "closed" | "half_open"}'}, 400)
        return _json(_instance(admin.directory(), instance, trio.current_time()))


def _carry_out(instance: Instance, order: str, body: bytes) -> None:
    """Raises msgspec.DecodeError when the body says no state."""
    if order == "breaker":
        state = _decode_order(body).state
        for channel in instance.channels.values():
            force(channel.breaker, state, trio.current_time())
        log.warning("admin.breaker", instance=instance.id, state=state.value)
        return
    for channel in instance.channels.values():
        channel.cordon(out=order == "cordon", now=trio.current_time())
    log.warning(f"admin.{order}", instance=instance.id)


def _instances(directory: Directory, now: float) -> list[Row]:
    return [_instance(directory, instance, now) for instance in directory.registry.instances.values()]


def _instance(directory: Directory, instance: Instance, now: float) -> Row:
    names = {
        f"{chain.profile.slug}/{chain.chain.key}/{candidate.provider.id}"
        for chain in directory.chains()
        for candidate in chain.candidates
        if candidate.channel.instance_id == instance.id
    }
    return {
        "instance": instance.id,
        "chain_id": instance.chain_id,
        "names": sorted(names),
        "cordoned": any(channel.cordoned for channel in instance.channels.values()),
        "chain_check": instance.head.check.value,
        "height": instance.head.height,
        "channels": [channel_row(channel, now) for channel in instance.channels.values()],
    }


def _learned(instance: Instance, now: float) -> Row:
    limits: Row = {}
    for channel in instance.channels.values():  # they share what was learned
        limits = {kind.value: value for kind in Kind if (value := channel.learned.limit(kind, now)) is not None}
    banned = sorted({method for channel in instance.channels.values() for method in channel.bans.current(now)})
    return {"instance": instance.id, "limits": limits, "missing_methods": banned}


def _reloaded(result: ReloadResult) -> Row:
    return {
        "accepted": result.accepted,
        "generation": result.generation,
        "changes": result.changes.lines(),
        "problems": [str(problem) for problem in result.problems],
    }


def _json(value: Row, status: int = 200) -> Response:
    return Response(_encode(value), status, content_type="application/json; charset=utf-8")
