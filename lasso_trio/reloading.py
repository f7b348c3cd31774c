"""Exchanges the configuration of a running node: load, compare, let the new instances be probed, swap, let the old go.

    SIGHUP · file change · admin ─► reload ─► load (a thread) ─► problems? the old one serves on, `config.rejected`
                                                └─► diff ─► instances added, probed ─► swap ─► instances forgotten

The operator's rows of the error catalogue, if there are any, are read and exchanged with them. One reload at a time.
The swap is one assignment: a call sees the old directory or the new one, and keeps what it saw. A call in flight holds
its old chain, whose channels stay usable until nobody holds them.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

import attrs
import structlog
import trio

from lasso_trio import watching
from lasso_trio.config.environment import with_dotenv
from lasso_trio.config.loader import load_profiles
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.reload import Changes, ReloadResult, diff
from lasso_trio.errors import ConfigError, Problem
from lasso_trio.instances import KEEPER, PROBER, InstanceTasks
from lasso_trio.providers.catalogue import Catalogue, current, use
from lasso_trio.providers.own_catalogue import load_over
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.probers import make_probers
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.succession import successor
from lasso_trio.server.rpc import RpcHandler
from lasso_trio.subscriptions.keepers import make_keepers

log = structlog.get_logger(__name__)

FIRST_PROBES_S: Final = 2.5
"""So long a swap waits for new instances to say which chain they serve; who has not said it does not serve yet."""

Load = Callable[[], ProfileSet]
"""Blocking: is called in a thread. Raises ConfigError."""
Reload = Callable[[str], Awaitable[ReloadResult]]
"""Asked with a reason, for the log."""


def from_disk(directory: Path) -> Load:
    """The profiles of `directory`, with the environment and `.env` as they are when it is called."""
    return lambda: ProfileSet(load_profiles(directory, with_dotenv(os.environ, Path.cwd())))


@attrs.define(eq=False)
class Reloading:
    """`load` None: there is nothing to read again, every reload is rejected. `probes`: new instances are probed.

    `catalogue_file`: the operator's rows of the error catalogue; None: as shipped, and never read again.
    """

    handler: RpcHandler
    registry: Registry
    tasks: InstanceTasks
    load: Load | None = None
    probes: bool = True
    catalogue_file: Path | None = None
    elsewhere: Callable[[Directory], list[trio.Event]] | None = None
    """While another worker looks after the instances: called in place of starting tasks for them, to the same end."""
    follow: Callable[[RoutedChain], None] | None = None
    """Told of each chain that serves after an exchange: who holds on to one goes on with its successor."""
    swapped: Callable[[ProfileSet, ProfileSet], None] | None = None
    """Told of what served before, and of what serves now."""
    _coming: Directory | None = None
    """Of the exchange that is under way: its new instances are looked at already."""
    _one: trio.Lock = attrs.field(factory=trio.Lock)
    _asked: trio.Event = attrs.field(factory=trio.Event)
    _why: str = ""

    async def reload(self, why: str = "asked") -> ReloadResult:
        """Serve what the files say now. Raises only Cancelled, and then all is as before or all is new."""
        async with self._one:
            before = self.handler.directory
            try:
                profiles, catalogue = await trio.to_thread.run_sync(self._load)
            except ConfigError as fault:
                return _rejected(why, before.generation, fault.problems)
            except Exception as fault:
                log.exception("config.unreadable", why=why)
                return _rejected(why, before.generation, (Problem("profiles", None, repr(fault)),))
            changes = diff(before.set, profiles)
            if changes:
                await self._exchange(before, profiles)
            _judge_by(catalogue)
            return _accepted(why, self.handler.directory.generation, changes)

    def ask(self, why: str) -> None:
        """Have it reloaded soon, by `run`. Several that come at once are one."""
        self._why = why
        self._asked.set()

    async def run(self) -> NoReturn:
        """Do what is asked, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked = trio.Event()
            await self.reload(self._why)

    async def watch(self, directory: Path) -> None:
        """Ask at each change in `directory`, until cancelled."""
        await watching.watch(directory, partial(self.ask, "file changed"))

    def _load(self) -> tuple[ProfileSet, Catalogue | None]:
        if self.load is None:
            raise ConfigError([Problem("profiles", None, "were not read from a directory: nothing to reload")])
        return self.load(), None if self.catalogue_file is None else load_over(self.catalogue_file)

    async def _exchange(self, before: Directory, profiles: ProfileSet) -> None:
        serving = before
        self.registry.add(profiles.profiles.values())
        try:
            self._coming = after = successor(before, profiles, self.registry)
            await self._first_probes(after)
            serving = self.handler.directory = after
            if self.swapped is not None:
                self.swapped(before.set, after.set)
            if self.follow is not None:
                for chain in after.chains():
                    self.follow(chain)
        finally:
            self._coming = None
            self._forget_but(serving.set)

    async def _first_probes(self, directory: Directory) -> None:
        """Nobody serves before its chain is known: a swap to providers that are all new would leave none."""
        started = self.start_tasks(directory)
        with trio.move_on_after(FIRST_PROBES_S):
            for settled in started:
                await settled.wait()

    def start_tasks(self, directory: Directory) -> list[trio.Event]:
        """A prober and a keeper for each instance that has none yet; each event is set when the first look is over."""
        if self.elsewhere is not None:
            return self.elsewhere(directory)
        probers = make_probers(directory) if self.probes else []
        keepers = make_keepers(directory)
        self.tasks.start(probers, PROBER)
        self.tasks.start(keepers, KEEPER)
        alone = [keeper for keeper in keepers if keeper.alone]
        return [*(prober.settled for prober in probers), *(keeper.settled for keeper in alone)]

    def take_over(self) -> None:
        """Nobody looks after the instances elsewhere any more: begin here, also with those that are to serve soon."""
        self.elsewhere = None
        for directory in (self.handler.directory, self._coming):
            if directory is not None:
                self.start_tasks(directory)

    def _forget_but(self, profiles: ProfileSet) -> None:
        gone = self.registry.keep_only(profiles.profiles.values())
        self.tasks.stop(instance.id for instance in gone)


def _judge_by(catalogue: Catalogue | None) -> None:
    """Put it in force, if it says anything new. Each error is judged by one of them, whole."""
    if catalogue is None or (catalogue.rows, catalogue.numbers) == (current().rows, current().numbers):
        return
    use(catalogue)
    log.info("catalogue.reloaded", rows=sum(len(rows) for rows in catalogue.rows.values()))


def _accepted(why: str, generation: int, changes: Changes) -> ReloadResult:
    if changes:
        log.info("config.reloaded", why=why, generation=generation, changes=changes.lines())
    else:
        log.info("config.unchanged", why=why, generation=generation)
    return ReloadResult(True, generation, changes)


def _rejected(why: str, generation: int, problems: tuple[Problem, ...]) -> ReloadResult:
    log.error("config.rejected", why=why, serving=generation, problems=[str(problem) for problem in problems])
    return ReloadResult(False, generation, problems=problems)
