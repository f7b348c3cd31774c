from __future__ import annotations

import msgspec

from lasso_trio.routing.lease import ALONE_S, LATEST_S, Lease, Report


def test_reports_and_leases_come_over_a_bus_as_they_were() -> None:
    for value in (Report("public", "192.0.2.7", 10, 5, 1.5, 3.0), Lease(-2.5, 0.25)):
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=type(value)) == value


def test_a_lease_is_believed_for_longer_than_reports_may_wait() -> None:
    """Else a member with plenty would have the whole limit for itself between two of its reports."""
    assert ALONE_S > 2 * LATEST_S
