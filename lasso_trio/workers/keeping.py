"""The role of a node's one keeping worker: who has it runs the probers and keepers, the others only listen to it.

A worker begins as one of the others. When the parent names it, its probers and keepers begin at once, from where what
it was told stands: its providers stay usable. It keeps until its end, for the parent names nobody else while it lives.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import structlog
import trio

from lasso_trio.instances import KEEPER
from lasso_trio.providers.head import ChainCheck
from lasso_trio.providers.registry import Instance
from lasso_trio.reloading import Reloading
from lasso_trio.routing.directory import Directory
from lasso_trio.subscriptions.keepers import make_keepers

log = structlog.get_logger(__name__)


@attrs.define(eq=False)
class Keeping:
    """`expect`: an event for each instance that was not heard of yet."""

    reloading: Reloading
    expect: Callable[[], list[trio.Event]]

    def __attrs_post_init__(self) -> None:
        self.reloading.elsewhere = self._follow

    @property
    def begun(self) -> bool:
        return self.reloading.elsewhere is None

    def begin(self) -> None:
        """This worker keeps from now on. Again: no difference."""
        if self.begun:
            return
        log.info("worker.keeping")
        self.reloading.take_over()
        for instance in self.reloading.registry.instances.values():
            _trust_unwatched(instance)

    def _follow(self, directory: Directory) -> list[trio.Event]:
        """Instances that have nothing but a WebSocket cannot be called over another worker's: a link each, for calls
        alone.
        """
        links = make_keepers(directory, elsewhere=True)
        self.reloading.tasks.start(links, KEEPER)
        return [*self.expect(), *(link.settled for link in links)]


def _trust_unwatched(instance: Instance) -> None:
    """Nobody told of it, and nobody will look: probes are off."""
    looked_at = instance.prober is not None or (instance.keeper is not None and instance.keeper.alone)
    if instance.head.check is ChainCheck.PENDING and not looked_at:
        instance.head.check = ChainCheck.TRUSTED
