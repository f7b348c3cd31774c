"""The web application: what every answer has, and how errors look. (What it says: `tests/surface/test_apis.py`.)"""

from __future__ import annotations

import re
from typing import Any

import pytest
import trio
from quart import abort
from quart_trio import QuartTrio

from lasso_trio.config.profile import Chain, Profile, Provider
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.server.answer import Answer
from lasso_trio.server.budget import ByteBudget
from lasso_trio.server.connection import Peer
from lasso_trio.server.http_request import HttpRequest
from lasso_trio.server.limits import LaneLimits
from lasso_trio.server.web import make_app
from lasso_trio.telemetry.node import Node, Readiness


def directory(key: str = "eth") -> Directory:
    def no_pool(_: object) -> Any:
        return None

    provider = Provider("alpha", "Alpha", "1:alpha:0", SecretUrl("http://alpha.invalid"))
    return Directory.of(
        ProfileSet.of([Profile("public", "Public", (Chain(key, 1, "Ethereum", (provider,)),))]), Registry(no_pool)
    )


async def handler(_: HttpRequest, __: Peer) -> Answer:
    return Answer(200, b"x-request-id: of-the-handler\r\nserver-timing: its;dur=1\r\n", b"{}")


@pytest.fixture
def app() -> QuartTrio:
    made = make_app(Node("n", 0.0), directory, handler, LaneLimits(max_body_bytes=1000), ByteBudget())

    @made.get("/crash")
    async def crash() -> str:
        raise ZeroDivisionError

    @made.get("/teapot")
    async def teapot() -> str:
        abort(418)

    return made


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/api/health", 200), ("/api/ready", 503), ("/nope", 404), ("/crash", 500), ("/teapot", 418)],
)
async def test_every_answer_has_id_timing_and_cors_and_is_json(app: QuartTrio, path: str, status: int) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = await app.test_client().get(path)
    assert answer.status_code == status
    assert re.fullmatch(r"[0-9a-f]{20,}", answer.headers["x-request-id"])
    assert re.fullmatch(r"total;dur=\d+\.\d{3}", answer.headers["server-timing"])
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "x-lasso-meta" in answer.headers["access-control-expose-headers"]
    assert isinstance(await answer.get_json(), dict)


@pytest.mark.parametrize(
    ("path", "detail"),
    [("/nope", "Not Found"), ("/crash", "Internal Server Error"), ("/teapot", "I'm a teapot")],
)
async def test_errors_are_told_in_one_shape(app: QuartTrio, path: str, detail: str) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    assert await (await app.test_client().get(path)).get_json() == {"errors": {"detail": detail}}


async def test_what_the_handler_says_of_its_answer_stays(app: QuartTrio) -> None:
    answer = await app.test_client().post("/rpc/eth", data=b"{}")
    assert answer.headers.getlist("x-request-id") == ["of-the-handler"]
    assert answer.headers.getlist("server-timing") == ["its;dur=1"]


async def test_a_sane_request_id_is_repeated(app: QuartTrio) -> None:
    answer = await app.test_client().get("/nope", headers={"x-request-id": "mine"})
    assert answer.headers["x-request-id"] == "mine"


async def test_slashes_are_not_merged(app: QuartTrio) -> None:
    assert (await app.test_client().post("/rpc/profile//eth", data=b"{}")).status_code == 200  # the handler's to tell


@pytest.mark.parametrize("path", ["/api/health", "/nope", "/rpc"])
async def test_a_preflight_is_answered_everywhere(app: QuartTrio, path: str) -> None:
    answer = await app.test_client().options(path)
    assert (answer.status_code, await answer.get_data(as_text=False)) == (204, b"")
    assert answer.headers["access-control-allow-methods"] == "GET, POST, OPTIONS"
    assert answer.headers.getlist("access-control-allow-origin") == ["*"]


async def test_a_preflight_of_calls_is_the_handlers_to_answer(app: QuartTrio) -> None:
    answer = await app.test_client().options("/rpc/eth")
    assert answer.headers.getlist("x-request-id") == ["of-the-handler"]
    assert "access-control-allow-origin" not in answer.headers


async def test_a_body_that_nobody_will_read_and_is_too_large_is_refused(app: QuartTrio) -> None:
    answer = await app.test_client().post("/api/health", data=b"x" * 1001, headers={"content-length": "1001"})
    assert (answer.status_code, await answer.get_json()) == (413, {"errors": {"detail": "Request Entity Too Large"}})


async def test_the_directory_is_asked_anew_each_time() -> None:
    current = directory("eth")
    app = make_app(Node("n", 0.0, Readiness.READY), lambda: current, handler, LaneLimits(), ByteBudget())
    names = []
    for key in ("eth", "ether"):
        current = directory(key)
        chains = await (await app.test_client().get("/api/chains")).get_json()
        names.append(chains["chains"][0]["chain_name"])
        assert (await app.test_client().get(f"/api/metrics/{key}")).status_code == 200
    assert names == ["eth", "ether"]
    assert (await app.test_client().get("/api/ready")).status_code == 200


async def test_the_time_is_trios(app: QuartTrio, autojump_clock: trio.testing.MockClock) -> None:
    await trio.sleep(42.5)
    health = await (await app.test_client().get("/api/health")).get_json()
    assert health["uptime_seconds"] == int(trio.current_time())
