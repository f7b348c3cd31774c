"""Tells of clients that show keys or tokens, by name, and of those that were not let in. Nothing of open profiles.

Names are an operator's own, or come in tokens that somebody trusted has signed; beyond a number they share `_other`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lasso_trio.access.gates import Gates
from lasso_trio.telemetry.prometheus import Table, counter

CALLS = counter("lasso_client_calls_total", "profile client", "Calls let in, by the name of the key or token.")
LIMITED = counter("lasso_client_calls_limited_total", "profile client", "Calls refused by a limit, by client.")
FORBIDDEN = counter("lasso_client_calls_forbidden_total", "profile client", "Calls of methods the client may not use.")
REFUSED = counter("lasso_clients_refused_total", "profile reason", "Requests and handshakes not let in, by kind.")

FAMILIES: Final = (CALLS, LIMITED, FORBIDDEN, REFUSED)


def read_clients(gates: Gates, table: Table, now: float) -> Iterator[None]:
    """A step for each profile that asks who calls."""
    for slug, gate in list(gates.gates.items()):
        for client, counts in gate.counts.clients.items():
            table.add(CALLS, counts.calls, slug, client)
            table.add(LIMITED, counts.limited, slug, client)
            table.add(FORBIDDEN, counts.forbidden, slug, client)
        for reason, times in gate.counts.refused.items():
            table.add(REFUSED, times, slug, reason)
        yield
