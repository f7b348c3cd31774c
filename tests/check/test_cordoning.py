from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import trio

from lasso_trio.check.caller import Caller, Said
from lasso_trio.check.cordoning import CALLS, SETTLE_S, Cordon, is_healthy, name_of, refusal
from lasso_trio.config.secret import Secret
from tests.check.fake_node import FakeNode, reply, result

PLACE = {"profile": "public", "chain": "eth", "candidate_providers": ["a:http", "b:http"]}
CHANNEL = {"transport": "http", "live": True, "cooldown_ms": 0, "circuit_breaker": {"state": "closed"}}


def row(*names: str, cordoned: bool = False, **channel: Any) -> dict[str, Any]:
    return {"names": list(names), "cordoned": cordoned, "channels": [{**CHANNEL, **channel}]}


class Admin(FakeNode):
    """It obeys, and the first provider that is not cordoned answers."""

    def __init__(self) -> None:
        super().__init__()
        self.out: set[str] = set()
        self.rows = [row("public/eth/a"), row("public/eth/b")]
        self.pages["/rpc"] = self.answer
        self.pages["/admin/providers"] = lambda _: reply({"instances": self.rows})
        for order in ("cordon", "uncordon"):
            self.pages[f"/admin/providers/public/eth/a/{order}"] = self.obey

    def answer(self, _: httpx.Request) -> httpx.Response:
        return result(**PLACE, selected_provider={"id": "b" if "a" in self.out else "a"})

    def obey(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer token"
        cordoned = request.url.path.endswith("/cordon")
        (self.out.add if cordoned else self.out.discard)("a")
        return reply({"cordoned": cordoned})


@pytest.fixture
def admin() -> Admin:
    return Admin()


@pytest.fixture
def remarks() -> list[str]:
    return []


@pytest.fixture
async def cordon(admin: Admin, remarks: list[str]) -> AsyncIterator[Cordon]:
    async with admin.caller(0.5) as caller:
        yield Cordon(caller, "http://n/rpc", "http://n", Secret("token"), remarks.append)


async def test_the_next_provider_answers_and_the_first_is_taken_back(cordon: Cordon, admin: Admin) -> None:
    seen = await cordon.run()
    assert (seen.first, set(seen.then), len(seen.then)) == ("a", {"b"}, CALLS)
    assert (seen.cordoned, seen.restored, seen.fault) == (True, True, "")
    assert admin.out == set()


async def test_a_worker_that_hears_of_it_a_little_later_does_not_count(
    admin: Admin, autojump_clock: trio.testing.MockClock
) -> None:
    heard_at = 0.0

    async def handle(request: httpx.Request) -> httpx.Response:
        nonlocal heard_at
        await trio.lowlevel.checkpoint()
        if request.url.path.endswith("/cordon"):
            heard_at = trio.current_time() + 0.1
        if request.url.path == "/rpc" and admin.out and trio.current_time() < heard_at:
            return result(**PLACE, selected_provider={"id": "a"})
        return admin.handle(request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        seen = await Cordon(Caller({}, 0.5, client), "http://n/rpc", "http://n", Secret("token"), print).run()
    assert (seen.first, set(seen.then), admin.out) == ("a", {"b"}, set())


async def test_a_lone_provider_is_never_cordoned(cordon: Cordon, admin: Admin) -> None:
    lone = {**PLACE, "candidate_providers": ["a:http"]}
    admin.pages["/rpc"] = lambda _: result(**lone, selected_provider={"id": "a"})
    assert (await cordon.run()).alone
    assert not any("cordon" in path for path in admin.paths)


async def test_nobody_is_cordoned_while_the_others_are_ill(cordon: Cordon, admin: Admin) -> None:
    admin.rows = [row("public/eth/a"), row("public/eth/b", circuit_breaker={"state": "open"})]
    seen = await cordon.run()
    assert "nobody else is healthy on public/eth" in seen.fault
    assert not seen.cordoned
    assert not any(path.endswith("cordon") for path in admin.paths)


@pytest.mark.parametrize(
    ("page", "answer", "fault"),
    [
        ("/rpc", reply({"error": {"code": -32000, "message": "nobody"}}), "-32000 nobody"),
        ("/rpc", result(), "does not say which provider"),
        ("/admin/providers", reply({}, 401), "/admin/providers: HTTP 401"),
        ("/admin/providers/public/eth/a/cordon", reply({}, 404), "cordon: HTTP 404"),
        ("/admin/providers/public/eth/a/cordon", reply({"cordoned": False}), "the node did not do it"),
    ],
)
async def test_what_stands_in_the_way_is_told(
    cordon: Cordon, admin: Admin, page: str, answer: httpx.Response, fault: str
) -> None:
    admin.pages[page] = answer
    seen = await cordon.run()
    assert fault in seen.fault
    assert (seen.cordoned, seen.restored) == (False, True)


async def test_calls_that_fail_meanwhile_are_told_and_it_is_taken_back(cordon: Cordon, admin: Admin) -> None:
    def failing(request: httpx.Request) -> httpx.Response:
        return reply({"error": {"code": -1, "message": "all failed"}}) if admin.out else admin.answer(request)

    admin.pages["/rpc"] = failing
    seen = await cordon.run()
    assert (seen.fault, seen.then, admin.out) == ("-1 all failed", (), set())


async def test_one_that_cannot_be_taken_back_is_shouted_about(cordon: Cordon, admin: Admin, remarks: list[str]) -> None:
    admin.pages["/admin/providers/public/eth/a/uncordon"] = httpx.ConnectError("refused")
    seen = await cordon.run()
    assert (seen.cordoned, seen.restored) == (True, False)
    assert len([path for path in admin.paths if path.endswith("/uncordon")]) == 3
    assert remarks == [
        "public/eth/a may still be cordoned (uncordon: refused): POST http://n/admin/providers/public/eth/a/uncordon"
    ]


@pytest.mark.parametrize("asks", range(2, 2 + CALLS))
async def test_broken_off_at_any_call_it_is_taken_back(cordon: Cordon, admin: Admin, asks: int) -> None:
    scope = trio.CancelScope()
    asked = 0

    async def handle(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        await trio.lowlevel.checkpoint()
        if request.url.path == "/rpc":
            asked += 1
            if asked == asks:
                scope.cancel()
                await trio.sleep_forever()
        return admin.handle(request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        caller = Caller({}, 0.5, client)
        with scope:
            await Cordon(caller, "http://n/rpc", "http://n", Secret("token"), cordon.remark).run()
    assert scope.cancelled_caught
    assert any(path.endswith("/cordon") for path in admin.paths)
    assert admin.out == set()


async def test_broken_off_at_once_it_is_taken_back_when_every_worker_has_heard_of_it(
    admin: Admin, autojump_clock: trio.testing.MockClock
) -> None:
    scope, orders = trio.CancelScope(), dict[str, float]()

    async def handle(request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        order = request.url.path.rpartition("/")[2]
        orders[order] = trio.current_time()
        if order == "cordon":
            scope.cancel()
        return admin.handle(request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        with scope:
            await Cordon(Caller({}, 0.5, client), "http://n/rpc", "http://n", Secret("token"), print).run()
    assert scope.cancelled_caught
    assert orders["uncordon"] - orders["cordon"] >= SETTLE_S
    assert admin.out == set()


async def test_taking_it_back_does_not_wait_for_ever(
    admin: Admin, remarks: list[str], autojump_clock: trio.testing.MockClock
) -> None:
    async def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/uncordon"):
            await trio.sleep_forever()
        return admin.handle(request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        began = trio.current_time()
        seen = await Cordon(Caller({}, 60.0, client), "http://n/rpc", "http://n", Secret("token"), remarks.append).run()
    assert not seen.restored
    assert trio.current_time() - began < 10
    assert "no answer in time" in remarks[0]


def test_every_chain_that_names_the_instance_must_have_somebody_else() -> None:
    shared = row("public/eth/a", "private/eth/a")
    assert refusal([shared, row("public/eth/b")], "public/eth/a").startswith("nobody else is healthy on private/eth")
    assert refusal([shared, row("public/eth/b", "private/eth/c")], "public/eth/a") == ""
    assert refusal([shared], "public/eth/x") == "the node does not list public/eth/x"


@pytest.mark.parametrize(
    "ill",
    [
        row("x", cordoned=True),
        row("x", live=False),
        row("x", transport="ws"),
        row("x", cooldown_ms=500),
        row("x", circuit_breaker={"state": "half_open"}),
        {"names": ["x"]},
    ],
)
def test_who_cannot_be_called_now_is_not_healthy(ill: dict[str, Any]) -> None:
    assert is_healthy(row("x"))
    assert not is_healthy(ill)


def test_a_name_needs_profile_chain_and_provider() -> None:
    meta = {"profile": "p", "chain": "c", "selected_provider": {"id": "a"}}
    assert name_of(Said(meta=meta)) == "p/c/a"
    assert name_of(Said(meta={**meta, "selected_provider": None})) is None
