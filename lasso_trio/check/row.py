"""A row of the checklist: its name, what must be gathered for it, and how it is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

import attrs

from lasso_trio.check.facts import Facts
from lasso_trio.check.verdict import Verdict

Judge = Callable[[Facts], Verdict]


class Need(StrEnum):
    """What can be gathered: the fields of `Facts` of the same names, in the order in which it is done.

    What limits or loads the node comes after what wants it at rest; the log is read last, so that it holds our calls.
    """

    GIT = "git"
    SHIPPED = "shipped"
    MACHINE = "machine"
    NODE = "node"
    DOORS = "doors"
    PUBLIC = "public"
    STRATEGIES = "strategies"
    SOCKET = "socket"
    CLUSTER = "cluster"
    MATES = "mates"
    REGIONS = "regions"
    FAILOVER = "failover"
    LOAD = "load"
    METRICS = "metrics"
    LIMIT = "limit"
    LOG = "log"


OFFLINE = frozenset({Need.GIT, Need.SHIPPED, Need.MACHINE, Need.LOG})
"""These want no running node."""


def _frozen(needs: Iterable[Need]) -> frozenset[Need]:
    return frozenset(needs)


@attrs.frozen
class Row:
    """`needs`: without these it cannot be judged. `uses`: what it looks at where it is there.

    `docs`: the page and the anchor that explain it.
    """

    id: str
    title: str
    docs: str
    judge: Judge
    needs: frozenset[Need] = attrs.field(default=(), converter=_frozen)
    uses: frozenset[Need] = attrs.field(default=(), converter=_frozen)

    @property
    def wants(self) -> frozenset[Need]:
        return self.needs | self.uses

    @property
    def is_online(self) -> bool:
        """Whether it says nothing without a running node."""
        return bool(self.needs - OFFLINE)
