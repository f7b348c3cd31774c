"""What a worker finds in its environment."""

from __future__ import annotations

import socket

from lasso_trio.config.secret import Secret
from lasso_trio.config.settings import Settings
from lasso_trio.workers.post import VARIABLE, Post, taken

POST = Post(worker=1, bus=7, workers=3, turn=8, port=5000, ops_port=None, secret="s" * 86)


def test_a_post_arrives_and_is_not_handed_on() -> None:
    environment = {"PATH": "/bin", **POST.to_environment()}
    assert environment["LASSO_WORKERS"] == "3"
    assert taken(environment) == POST
    assert VARIABLE not in environment
    assert taken(environment) is None


def test_a_worker_serves_the_ports_that_the_parent_holds() -> None:
    settings = POST.settled(Settings(port=0, workers=3))
    assert (settings.port, settings.ops_port, settings.workers) == (5000, None, 3)


def test_workers_share_a_secret_and_the_operators_own_wins() -> None:
    assert POST.settled(Settings()).secret_key_base == Secret("s" * 86)
    assert POST.settled(Settings(secret_key_base=Secret("own"))).secret_key_base == Secret("own")


async def test_the_inherited_descriptors_are_the_bus_and_the_turn() -> None:
    near, far = socket.socketpair()
    with near:
        post = Post(1, far.detach(), 2, 9, 0, None, "")
        bus = post.open_bus()
        await bus.stream.send_all(b"x")
        assert near.recv(1) == b"x"
        assert (bus.worker, post.open_turn().fd) == (1, 9)
        await bus.stream.aclose()
