from __future__ import annotations

from lasso_trio.access.gates import Gates
from lasso_trio.config.access import AccessPolicy, Auth
from lasso_trio.metrics.clients import CALLS, FORBIDDEN, LIMITED, REFUSED, read_clients
from lasso_trio.telemetry.prometheus import Table


def test_what_each_client_did_is_told_by_name() -> None:
    gates, table = Gates(), Table()
    gate = gates.of("public", AccessPolicy(Auth()))
    assert gate is not None
    counts = gate.counts.of("wallet")
    counts.calls, counts.limited, counts.forbidden = 5, 2, 1
    gate.counts.refuse("client_unauthorized")
    assert len(list(read_clients(gates, table, 0.0))) == 1
    told = [table.value(family, "public", "wallet") for family in (CALLS, LIMITED, FORBIDDEN)]
    assert told == [5, 2, 1]
    assert table.value(REFUSED, "public", "client_unauthorized") == 1


def test_open_profiles_have_nobody_to_tell_of() -> None:
    table = Table()
    assert list(read_clients(Gates(), table, 0.0)) == []
    assert not table.rows
