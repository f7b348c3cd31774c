"""A process that waits to become a worker: it has imported what a worker is made of, and has opened and read nothing.

Imports are nearly all of what a worker's start takes. So the parent keeps one such process, and gives it the post of a
worker that died: a moment later its environment is that of a worker which is being started, and it goes on as one,
with the profiles and settings as they are then.

    ─► TELL WAITS (a greeting)        ◄─ TELL POST (a post), or the end: nobody needs us

It waits without trio, whose run is the worker's. Only SIGTERM ends it; what a terminal sends to all is for the parent.
"""

from __future__ import annotations

import gc
import signal
import socket
from collections.abc import MutableMapping
from importlib import import_module
from typing import Final

import msgspec

from lasso_trio.config.settings import Settings
from lasso_trio.workers.frame import PARENT, Frame, FrameReader, Kind, encoded, greeting
from lasso_trio.workers.post import Post
from lasso_trio.workers.process import NOBODY, STANDBY

WAITS: Final = "standby.waits"
POST: Final = "standby.post"
NEEDED: Final = (
    "lasso_trio.serving",
    "lasso_trio.config.loader",
    "lasso_trio.config.profile_set",
    "lasso_trio.workers.bank",
    "lasso_trio.workers.cluster_share",
    "lasso_trio.workers.figure_share",
    "lasso_trio.workers.member",
    "lasso_trio.workers.metrics_share",
    "lasso_trio.workers.reload",
    "lasso_trio.workers.sight_share",
    "lasso_trio.workers.usage",
    "lasso_trio.workers.worker",
)
"""Modules that import all that a worker does."""
_LENGTH: Final = 4


def become_worker(environment: MutableMapping[str, str]) -> bool:
    """Returns when there is a post, in `environment` as a started worker finds it; False: the parent needs none.

    Raises KeyError in a process that is no standby.
    """
    number, *also = environment.pop(STANDBY).split()
    bus = socket.socket(fileno=int(number))
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    prepare(*also)
    post = wait(bus)
    if post is None:
        bus.close()
        return False
    bus.detach()  # the worker opens it by its number
    environment.update(post.to_environment())
    return True


def needed_for(settings: Settings) -> tuple[str, ...]:
    """What only some nodes import."""
    wanted = {"coredis.connection": settings.redis, "lasso_trio.tracing.collector": settings.tracing}
    return tuple(name for name, terms in wanted.items() if terms is not None)


def prepare(*also: str) -> None:
    """Import, and have the collector leave that alone: it would look at all of it when there is no time to lose."""
    for name in (*NEEDED, *also):
        import_module(name)
    gc.collect()
    gc.freeze()


def wait(bus: socket.socket) -> Post | None:
    """Say that we wait, and wait. None: the parent has closed its end, or died."""
    try:
        bus.sendall(encoded(Frame(Kind.TELL, NOBODY, PARENT, WAITS, greeting())))
        length = bus.recv(_LENGTH, socket.MSG_WAITALL)
        body = bus.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL)
    except OSError:
        return None
    return _told(length + body)


def _told(data: bytes) -> Post | None:
    """Not a byte more than the post's frame was read: what follows is for the worker."""
    posts = [frame for frame, _ in FrameReader().feed(data) if frame.topic == POST]
    return msgspec.json.decode(posts[0].payload, type=Post) if posts else None
