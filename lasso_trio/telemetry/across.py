"""What the processes of one node make of their values of a metric: said beside its definition, done by their parent."""

from __future__ import annotations

from enum import StrEnum


class Across(StrEnum):
    """Of several values under the same labels."""

    SUM = "sum"
    MOST = "most"
    LEAST = "least"
    KEEPER = "keeper"
    """The value of the process that watches the providers for all."""
    EACH = "each"
    """They are of the process and not of the node: each keeps its own, with a label `worker`."""
