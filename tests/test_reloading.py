"""Reloading from files: what is right is served, what is wrong changes nothing. (Under load: tests/surface.)"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio
import trio.testing
from structlog.testing import capture_logs

from lasso_trio.app import App
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.settings import Settings
from lasso_trio.providers.catalogue import current, use
from lasso_trio.providers.classify import classify
from lasso_trio.reloading import from_disk
from lasso_trio.serving import watch_signals

TEXT = """\
name: Public
chains:
  one:
    chain_id: 1
    providers:
      - id: {id}
        url: http://127.0.0.1:9/{key}
        priority: {priority}
"""


def write(directory: Path, id: str = "a", key: str = "x", priority: int = 1) -> None:  # noqa: A002
    (directory / "public.yml").write_text(TEXT.format(id=id, key=key, priority=priority))


@pytest.fixture(autouse=True)
def every_line() -> None:
    """Whatever level another test left."""
    structlog.reset_defaults()


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., App]:
    def build(**settings: Any) -> App:  # noqa: ANN401
        write(tmp_path)
        usual = {"port": 0, "listen": False, "grace_s": 1.0, "probes": False, "profiles_dir": tmp_path}
        return App.make(Settings(**(usual | settings)), from_disk(tmp_path)())

    return build


def priorities(app: App) -> list[int]:
    return [candidate.provider.priority for candidate in app.directory.default.names["one"].candidates]


async def test_what_the_files_say_now_is_served_and_an_unchanged_instance_stays(
    make: Callable[..., App], tmp_path: Path
) -> None:
    app = make()
    (before,) = app.directory.default.names["one"].candidates
    write(tmp_path, priority=7)
    with capture_logs() as logs:
        result = await app.reload("test")
    assert (result.accepted, result.generation, result.changes.lines()) == (True, 1, ["~ public/one/a: priority"])
    (after,) = app.directory.default.names["one"].candidates
    assert after.channel is before.channel
    assert (before.provider.priority, priorities(app)) == (1, [7])
    assert [(line["event"], line["changes"]) for line in logs] == [("config.reloaded", ["~ public/one/a: priority"])]


async def test_a_bad_file_leaves_the_old_configuration_serving_and_says_every_problem(
    make: Callable[..., App], tmp_path: Path
) -> None:
    app = make()
    serving = app.directory
    (tmp_path / "public.yml").write_text(TEXT.format(id="a", key="x", priority="high") + "nonsense: 1\n")
    with capture_logs() as logs:
        result = await app.reload()
    assert (result.accepted, result.generation, len(result.problems)) == (False, 0, 2)
    assert app.directory is serving
    assert [line["event"] for line in logs] == ["config.rejected"]
    assert len(logs[0]["problems"]) == 2
    write(tmp_path, priority=2)
    assert (await app.reload()).accepted
    assert priorities(app) == [2]


async def test_the_same_files_again_change_nothing(make: Callable[..., App]) -> None:
    app = make()
    serving = app.directory
    with capture_logs() as logs:
        result = await app.reload()
    assert (result.accepted, result.generation, bool(result.changes)) == (True, 0, False)
    assert app.directory is serving
    assert [line["event"] for line in logs] == ["config.unchanged"]


ROW = """\
[[text]]
name = "mine"
class = "{}"
text = ["the kraken is busy"]
seen = ["us"]
"""


def judged() -> str:
    return classify(200, -32000, "the kraken is busy", None).error_class


async def test_the_operators_rows_are_read_again_and_a_mistake_leaves_the_old_ones(
    make: Callable[..., App], tmp_path: Path
) -> None:
    rows = tmp_path / "errors.toml"
    app, before = make(catalogue_file=rows), current()
    try:
        rows.write_text(ROW.format("rate_limit"))
        with capture_logs() as logs:
            assert (await app.reload()).accepted
            assert (await app.reload()).accepted
        assert judged() == "rate_limit"
        assert [line["event"] for line in logs] == ["catalogue.reloaded", "config.unchanged", "config.unchanged"]
        rows.write_text(ROW.format("rats"))
        write(tmp_path, priority=3)
        with capture_logs() as logs:
            result = await app.reload()
        assert [(problem.file, problem.line) for problem in result.problems] == [(str(rows), 1)]
        assert (judged(), priorities(app)) == ("rate_limit", [1])
        rows.write_text("")
        with capture_logs():
            assert (await app.reload()).accepted
        assert (judged(), priorities(app)) == ("unclassified", [3])
    finally:
        use(before)


async def test_a_node_whose_profiles_are_no_files_says_so(make: Callable[..., App]) -> None:
    app = make(profiles_dir=None)
    with capture_logs():
        result = await app.reload()
    assert not result.accepted
    assert "nothing to reload" in str(result.problems[0])


async def test_a_loader_that_crashes_is_a_rejection(make: Callable[..., App]) -> None:
    def crash() -> ProfileSet:
        raise ValueError("a mistake of ours")

    app = make()
    app.reloading.load = crash
    with capture_logs() as logs:
        result = await app.reload()
    assert not result.accepted
    assert [line["event"] for line in logs] == ["config.unreadable", "config.rejected"]


async def test_a_new_key_is_a_new_instance_and_the_old_one_is_closed(make: Callable[..., App], tmp_path: Path) -> None:
    app = make()
    (old,) = app.registry.instances
    write(tmp_path, key="y")
    with capture_logs():
        assert (await app.reload()).accepted
    assert old not in app.registry.instances
    assert len(app.registry.instances) == 1


async def test_new_instances_are_probed_before_they_serve_and_old_probers_end(
    make: Callable[..., App], nursery: trio.Nursery, tmp_path: Path
) -> None:
    app = make(probes=True)
    with capture_logs(), trio.fail_after(10):
        await nursery.start(app.run)
        (old,) = app.probers
        write(tmp_path, key="y")
        await app.reload()
        (new,) = app.probers
        assert new is not old
        assert new.settled.is_set()
        await trio.testing.wait_all_tasks_blocked()
        names = {child.name for child in app.supervisor.children}
        assert f"prober {new.channel.instance_id}" in names
        assert f"prober {old.channel.instance_id}" not in names
        app.stop()
        await app.stopped.wait()


async def test_cancelled_before_the_swap_all_is_as_before(make: Callable[..., App], tmp_path: Path) -> None:
    app = make(probes=True)  # not running: the new prober never settles
    before, serving = set(app.registry.instances), app.directory
    write(tmp_path, key="y")
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(app.reload)
            while len(app.registry.instances) == 1:  # noqa: ASYNC110 (nothing announces it)
                await trio.sleep(0.001)
            scope.cancel()
    assert set(app.registry.instances) == before
    assert app.directory is serving


async def changed(app: App, priority: int) -> None:
    with trio.fail_after(10):
        while priorities(app) != [priority]:  # noqa: ASYNC110 (nothing announces it)
            await trio.sleep(0.005)


async def test_sighup_reloads(make: Callable[..., App], nursery: trio.Nursery, tmp_path: Path) -> None:
    app = make()
    app.settings = Settings(listen=False, probes=False)  # nobody watches the files
    with capture_logs():
        await nursery.start(watch_signals, app)
        await nursery.start(app.run)
        write(tmp_path, priority=3)
        signal.raise_signal(signal.SIGHUP)
        await changed(app, 3)
        app.stop()
        await app.stopped.wait()
    nursery.cancel_scope.cancel()


async def write_until_seen(app: App, folder: Path, priority: int) -> None:
    """The watching thread is on its way and nothing announces it: what is written before it looks is not seen."""
    while priorities(app) != [priority]:
        write(folder, priority=priority)
        await trio.sleep(1)


async def test_a_file_that_changes_or_is_exchanged_is_seen(
    make: Callable[..., App], nursery: trio.Nursery, tmp_path: Path
) -> None:
    app = make()
    with capture_logs():
        await nursery.start(app.run)
        nursery.start_soon(write_until_seen, app, tmp_path, 4)
        await changed(app, 4)
        (tmp_path / ".new").write_text(TEXT.format(id="a", key="x", priority=5))
        os.replace(tmp_path / ".new", tmp_path / "public.yml")
        await changed(app, 5)
        app.stop()
        with trio.fail_after(3):
            await app.stopped.wait()


async def test_who_holds_on_to_a_chain_is_told_of_its_successor(make: Callable[..., App], tmp_path: Path) -> None:
    app, told = make(), list[object]()
    assert app.reloading.follow == app.hub.follow
    app.reloading.follow = told.append
    write(tmp_path, priority=7)
    await app.reload("test")
    assert told == list(app.directory.chains())
    await app.reload("nothing new")
    assert len(told) == 1


async def test_whoever_minds_who_may_call_is_told_of_each_exchange(make: Callable[..., App], tmp_path: Path) -> None:
    app, told = make(), list[tuple[object, object]]()
    assert app.reloading.swapped is not None
    app.reloading.swapped = lambda before, after: told.append((before, after))
    before = app.directory.set
    write(tmp_path, priority=7)
    await app.reload("test")
    assert told == [(before, app.directory.set)]
    await app.reload("nothing new")
    assert len(told) == 1
