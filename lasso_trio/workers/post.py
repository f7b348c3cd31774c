"""A worker's post: what the parent tells a process that it starts, through one variable of its environment.

It is no setting but the word of whoever started us, so it is read here, once, and taken out of the environment. The
name has no `LASSO_` in front, so that a misspelt `LASSO_WORKERS` stays a misspelt setting.
"""

from __future__ import annotations

import socket
from collections.abc import MutableMapping
from typing import Final

import attrs
import msgspec
import trio

from lasso_trio.config.secret import Secret
from lasso_trio.config.settings import Settings
from lasso_trio.telemetry.turn import Turn
from lasso_trio.workers.bus import Bus

VARIABLE: Final = "_LASSO_WORKER"


class Post(msgspec.Struct, frozen=True):
    """`workers`: how many there are. `bus` and `turn`: file descriptors that the process inherits. `port` and
    `ops_port`: those that the parent holds.

    `secret`: signs sessions if no `SECRET_KEY_BASE` is set: the workers must believe each other.
    """

    worker: int
    bus: int
    workers: int
    turn: int
    port: int
    ops_port: int | None
    secret: str

    def to_environment(self) -> dict[str, str]:
        """What the process finds in its environment."""
        return {VARIABLE: msgspec.json.encode(self).decode(), "LASSO_WORKERS": str(self.workers)}

    def settled(self, settings: Settings) -> Settings:
        """`settings` with what the parent has decided."""
        secret = settings.secret_key_base or Secret(self.secret)
        return attrs.evolve(settings, port=self.port, ops_port=self.ops_port, secret_key_base=secret)

    def open_bus(self) -> Bus:
        """Once. Must be called inside `trio.run`."""
        sock = trio.socket.from_stdlib_socket(socket.socket(fileno=self.bus))
        return Bus(self.worker, trio.SocketStream(sock))

    def open_turn(self) -> Turn:
        return Turn(self.turn)


def taken(environment: MutableMapping[str, str]) -> Post | None:
    """The post that `environment` tells, no longer in it; None in a process that no parent started."""
    told = environment.pop(VARIABLE, None)
    return None if told is None else msgspec.json.decode(told, type=Post)
