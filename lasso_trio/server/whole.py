"""What is shown as the node's: the directory that serves, or with several workers one with the figures of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import attrs

from lasso_trio.routing.directory import Directory
from lasso_trio.telemetry.usage import Usage


class Whole(Protocol):
    """For looking at, never for routing."""

    def directory(self) -> Directory:
        """As it was heard last."""
        ...

    async def fresh(self) -> Directory:
        """As of now."""
        ...

    def usages(self) -> Mapping[int, Usage]:
        """Of each worker's process, by number; empty where there are no workers."""
        ...


@attrs.frozen(eq=False)
class Alone:
    """A node of one process."""

    serving: Callable[[], Directory]

    def directory(self) -> Directory:
        return self.serving()

    async def fresh(self) -> Directory:
        return self.serving()

    def usages(self) -> Mapping[int, Usage]:
        return {}
