"""What is seen of an instance by those who look at it: by its prober and its keeper, in whichever process they are.

Where another process looks, it tells; nothing is dispatched by any of this. Pure reading.
"""

from __future__ import annotations

from typing import Any

import attrs

from lasso_trio.providers.prober import Prober


@attrs.frozen
class Watched:
    """`failures`: probes that failed in a row. `connected`: its WebSocket has a session, the last of so many
    `sessions`.
    """

    failures: int = 0
    connected: bool = False
    sessions: int = 0

    @classmethod
    def by(cls, prober: Prober | None, keeper: Any) -> Watched:  # noqa: ANN401  (see `Instance.keeper`)
        """Of who looks here; either may be missing."""
        failures = 0 if prober is None else prober.schedule.failures
        return cls(failures) if keeper is None else cls(failures, bool(keeper.connected), keeper.sessions)
