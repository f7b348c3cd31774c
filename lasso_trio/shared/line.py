"""One connection to the engine. The only importer of coredis, whose errors become `EngineFault` here.

coredis' pool is not used: it loses a place for each connection that is given up while it is made, and one such hour
later nobody gets any. A connection here belongs to one lane, is dialled when it is needed, and is dropped at the first
time-out: an answer that comes later must not be taken for another's. It is dropped at a refusal as well: a server that
became a replica says READONLY to all that follows, and who took its place is found by dialling.

coredis takes half a second to import, so it is imported when a lane dials first.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs
import trio

from lasso_trio.config.redis_terms import RedisTerms
from lasso_trio.errors import LassoError
from lasso_trio.telemetry.scrub import scrub

if TYPE_CHECKING:
    from coredis.connection import BaseConnection

CONNECT_S: Final = 0.5
HANDSHAKE_S: Final = 0.5
LONGEST_DETAIL: Final = 200

Command = tuple[bytes | str | int | float, ...]


class EngineFault(LassoError):
    """The engine did not do what was asked. `reason`: unreachable, timeout, slow, password, full, refused."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class Line(Protocol):
    """A connection."""

    @property
    def usable(self) -> bool: ...

    async def ask(self, commands: Sequence[Command], timeout_s: float) -> list[Any]:
        """What each command is answered, in order. Raises EngineFault; commands may have been carried out then."""

    def close(self) -> None: ...


@attrs.frozen(eq=False)
class RedisLine:
    """See `Line`. Its tasks live in the nursery that it was dialled in."""

    connection: BaseConnection

    @property
    def usable(self) -> bool:
        return self.connection.usable

    async def ask(self, commands: Sequence[Command], timeout_s: float) -> list[Any]:
        answers: list[Any] = []
        try:
            with trio.move_on_after(timeout_s) as scope:
                answers = await self._all(commands)
        except (_errors().RedisError, OSError) as error:  # TimeoutError is an OSError
            raise fault_of(error) from error
        if scope.cancelled_caught:
            self.close()
            raise EngineFault("timeout", f"no answer within {timeout_s:g} s")
        refused = next((answer for answer in answers if isinstance(answer, BaseException)), None)
        if refused is None:
            return answers
        fault = fault_of(refused)
        if fault.reason != "full":
            self.close()
        raise fault

    async def _all(self, commands: Sequence[Command]) -> list[Any]:
        """All are out before the first is heard."""
        requests = [self._request(command) for command in commands]
        return [await request for request in requests]

    def close(self) -> None:
        self.connection.invalidate()

    def _request(self, command: Command) -> Any:  # noqa: ANN401  (an awaitable of coredis' own kind)
        name, *rest = command
        return self.connection.create_request(
            name.encode() if isinstance(name, str) else bytes(name),  # type: ignore[arg-type]
            *rest,
            decode=False,
            raise_exceptions=False,
            disconnect_on_cancellation=True,
        )


async def dial(terms: RedisTerms, nursery: trio.Nursery) -> RedisLine:
    """A connection that has shaken hands. Raises EngineFault. Bounded by the time-outs above."""
    connection = _connection(terms)
    try:
        await nursery.start(partial(connection.run))
    except (_errors().RedisError, OSError) as error:  # TimeoutError is an OSError
        raise fault_of(error) from error
    return RedisLine(connection)


def fault_of(error: BaseException) -> EngineFault:
    """Which fault a foreign error is. The detail is scrubbed: it may repeat what we sent."""
    errors, cause = _errors(), error.__cause__
    detail = scrub(str(error) if cause is None else f"{error} ({cause})", LONGEST_DETAIL)
    if isinstance(error, errors.AuthenticationError):
        return EngineFault("password", detail)
    if isinstance(error, TimeoutError):
        return EngineFault("timeout", detail)
    if isinstance(error, errors.ConnectionError | OSError):
        return EngineFault("unreachable", detail)
    return EngineFault("full" if detail.startswith("OOM") else "refused", detail)


def _connection(terms: RedisTerms) -> BaseConnection:
    from coredis.connection import TCPConnection, TCPLocation, UnixDomainSocketConnection, UnixDomainSocketLocation

    options: dict[str, Any] = {
        "connect_timeout": CONNECT_S,
        "stream_timeout": HANDSHAKE_S,
        "username": terms.user,
        "password": None if terms.password is None else terms.password.reveal(),
        "db": terms.database,
        "client_name": "lasso",
    }
    if terms.path:
        return UnixDomainSocketConnection(UnixDomainSocketLocation(terms.path), **options)
    tls = _tls() if terms.tls else None
    return TCPConnection(TCPLocation(terms.host, terms.port), ssl_context=tls, **options)


@cache
def _tls() -> ssl.SSLContext:
    """Once: reading the machine's authorities takes a loop's time, and a server that is away is dialled for hours."""
    return ssl.create_default_context()


@cache
def _errors() -> Any:  # noqa: ANN401  (a module)
    from coredis import exceptions
    from coredis._utils import logger

    logger.setLevel("CRITICAL")  # what it would say of each failed connection with its traceback, we say once
    return exceptions
