from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import httpx
import pytest
import trio

from lasso_trio.check import run
from lasso_trio.check.bench import Bench, Missing
from lasso_trio.check.caller import Caller
from lasso_trio.check.facts import Gap, NodeSeen
from lasso_trio.check.order import Order
from lasso_trio.check.page import Page
from lasso_trio.check.report import Report
from lasso_trio.check.row import Need
from lasso_trio.check.run import NO_URL, absent, check, could_not, done, wanted
from lasso_trio.check.stages import Stage
from lasso_trio.check.verdict import State
from lasso_trio.errors import ConfigError
from tests.check.conftest import HEALTH, World, json_page
from tests.check.fake_node import FakeNode, reply


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    """Whom every caller asks."""
    node = FakeNode({"/api/health": reply(HEALTH), "/api/ready": reply({"status": "ready"})})

    @asynccontextmanager
    async def open_(*_: object) -> AsyncIterator[Caller]:
        async with node.caller() as caller:
            yield caller

    monkeypatch.setattr(run.Caller, "open", open_)
    return node


async def checked(order: Order, world: World, stop: trio.CancelScope | None = None) -> tuple[Report, list[str]]:
    told: list[str] = []
    return await check(order, world.facts.setup, told.append, stop or trio.CancelScope()), told


def states(report: Report) -> dict[str, State]:
    return {result.row.id: result.state for result in report.results}


async def test_without_an_address_what_needs_a_node_is_skipped_and_nobody_is_asked(
    world: World, fake: FakeNode
) -> None:
    report, told = await checked(Order(only=("E1", "P1", "H1", "D1")), world)
    assert states(report) == {"E1": State.PASS, "P1": State.PASS, "H1": State.SKIP, "D1": State.SKIP}
    assert report.results[2].verdict.why == "no --url was given"
    assert (fake.asked, report.exit_code) == ([], 0)
    assert told[0] == "looking at git"


async def test_only_what_the_rows_want_is_gathered(world: World, fake: FakeNode) -> None:
    report, told = await checked(Order(url="http://n", only=("H1",)), world)
    assert states(report) == {"H1": State.PASS}
    assert told == ["asking for health"]


async def test_where_nobody_answers_one_row_fails_and_the_others_say_so(world: World, fake: FakeNode) -> None:
    fake.pages["/api/health"] = httpx.ConnectError("refused")
    report, _ = await checked(Order(url="http://n", only=("H1", "M1", "D2")), world)
    assert states(report) == {"H1": State.FAIL, "M1": State.SKIP, "D2": State.SKIP}
    assert "nobody answers at http://n: refused" in report.results[1].verdict.why
    assert report.exit_code == 1


@pytest.mark.parametrize("rows", [("P4", "N3"), ("M1",), ("E4",)])
async def test_where_nobody_answers_what_was_asked_for_could_not_be_done(
    world: World, fake: FakeNode, rows: tuple[str, ...]
) -> None:
    fake.pages["/api/health"] = httpx.ConnectError("refused")
    report, _ = await checked(Order(url="http://n", only=rows), world)
    assert (report.exit_code, report.unable) == (2, ("nobody answers at http://n: refused",))
    assert (await checked(Order(only=rows), world))[0].exit_code == 0


async def test_a_chain_that_cannot_be_told_leaves_the_load_test_undone(world: World, fake: FakeNode) -> None:
    fake.pages["/api/chains"] = reply({"chains": []})
    report, _ = await checked(Order(url="http://n", only=("N3",)), world)
    assert (report.exit_code, report.unable) == (2, ("the node lists no chain of any profile",))


@pytest.mark.parametrize("order", [{}, {"url": "http://n"}])
async def test_a_profile_that_nobody_knows_is_a_wrong_command_line(
    world: World, fake: FakeNode, order: dict[str, str]
) -> None:
    with pytest.raises(ConfigError, match="nobody knows 'nosuch'"):
        await checked(Order(only=("H1", "E2"), profile="nosuch", **order), world)
    no_chain = {"code": -32602, "message": "Unsupported chain: Unknown chain 'nosuch' in profile 'public'"}
    fake.pages["/rpc/profile/public/nosuch"] = reply({"error": no_chain}, 400)
    with pytest.raises(ConfigError, match="nobody knows 'nosuch' in public"):
        await checked(Order(only=("H1", "E2"), profile="public", chain="nosuch", **order), world)
    fake.pages["/api/health"] = httpx.ConnectError("refused")
    assert (await checked(Order(only=("E2",), profile="public", **order), world))[0].exit_code == 0


async def test_broken_off_it_reports_what_is_known(world: World, fake: FakeNode) -> None:
    stop = trio.CancelScope()

    def answer(_: httpx.Request) -> httpx.Response:
        stop.cancel()
        return reply({"enabled": False})

    fake.pages["/api/cluster"] = answer
    report, _ = await checked(Order(url="http://n", only=("H1", "D2", "N3")), world, stop)
    assert report.interrupted
    assert states(report) == {"H1": State.PASS, "D2": State.SKIP, "N3": State.SKIP}
    assert [r.verdict.why.startswith("broken off") for r in report.results] == [False, True, False]
    assert report.exit_code == 2


async def test_broken_off_before_it_began_every_row_that_wants_something_is_skipped(
    world: World, fake: FakeNode
) -> None:
    stop = trio.CancelScope()
    stop.cancel()
    report, _ = await checked(Order(url="http://n", only=("E2", "H1")), world, stop)
    assert states(report) == {"E2": State.PASS, "H1": State.SKIP}


async def test_remarks_of_stages_are_reported(world: World, fake: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gather(bench: Bench) -> None:
        bench.remarks.append("still cordoned")
        raise Missing("why", "todo")

    monkeypatch.setattr(run, "STAGES", (Stage(Need.GIT, "x", gather),))
    report, _ = await checked(Order(only=("E1",)), world)
    assert report.remarks == ("still cordoned",)
    assert (report.results[0].verdict.why, report.results[0].verdict.todo) == ("why", "todo")


async def test_an_answer_of_any_shape_costs_the_rows_that_look_at_it_only(world: World, fake: FakeNode) -> None:
    fake.pages["/api/cluster"] = reply({"enabled": True, "coverage": [1], "nodes": "many"})
    fake.pages["/api/chains"] = reply({"chains": [{"chain_name": "eth", "profiles": 5}]})
    setup = attrs.evolve(world.facts.setup, profiles={})
    report = await check(Order(url="http://n", only=("H1", "D2", "P5")), setup, lambda _: None, trio.CancelScope())
    assert states(report) == {"H1": State.PASS, "D2": State.FAIL, "P5": State.SKIP}
    assert "not like a node's answer (AttributeError" in report.results[2].verdict.why


async def test_a_stage_that_breaks_leaves_its_remarks(
    world: World, fake: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gather(bench: Bench) -> None:
        bench.remarks.append("still cordoned")
        async with trio.open_nursery():
            raise TypeError("unhashable type: 'list'")

    monkeypatch.setattr(run, "STAGES", (Stage(Need.GIT, "x", gather),))
    report, _ = await checked(Order(only=("E1",)), world)
    assert (report.remarks, report.exit_code) == (("still cordoned",), 2)
    assert "TypeError: unhashable type: 'list'" in report.unable[0]


async def test_a_stage_that_takes_too_long_is_given_up(world: World, autojump_clock: trio.testing.MockClock) -> None:
    async def gather(_: Bench) -> None:
        await trio.sleep_forever()

    async with FakeNode().caller() as caller:
        bench = Bench(Order(), attrs.evolve(world.facts, git=None), caller)
        facts = await done(Stage(Need.GIT, "x", gather, 7.0), bench)
    assert facts.missing[Need.GIT].why == "not finished within 7 s"
    assert could_not(facts) == ("not finished within 7 s",)


def test_whatever_asks_a_node_asks_for_its_health_first() -> None:
    assert [stage.need for stage in wanted(frozenset({Need.DOORS}))] == [Need.NODE, Need.DOORS]
    assert [stage.need for stage in wanted(frozenset({Need.LOG, Need.GIT}))] == [Need.GIT, Need.LOG]


def test_nobody_is_asked_where_nobody_is(world: World) -> None:
    nowhere = attrs.evolve(world.facts, url=None)
    silent = Page("u", fault="refused")
    dead = attrs.evolve(world.facts, node=NodeSeen((json_page(HEALTH), silent), silent, silent))
    assert absent(Need.LOG, nowhere) is None
    assert absent(Need.NODE, nowhere) == NO_URL
    assert absent(Need.NODE, dead) is None
    assert absent(Need.LOAD, world.facts) is None
    assert isinstance(absent(Need.LOAD, dead), Gap)
