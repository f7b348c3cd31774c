"""How this node finds the others: the `CLUSTER_…` variables. Both names make a cluster, neither a lone node, one alone
is a mistake: half a configuration would be a node that silently stays alone.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

import attrs

from lasso_trio.config.variables import Variables

BOTH: Final = ("CLUSTER_DNS_QUERY", "CLUSTER_NODE_BASENAME")
DNS_PORT: Final = 53
_NAME: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9.])?")
_BASENAME: Final = re.compile(r"[A-Za-z0-9_-]{1,63}")


@attrs.frozen
class ClusterTerms:
    """`port`: where the nodes listen that A and AAAA records name; None: where this one does.

    `dns_server`: an IP address and a port, asked instead of the machine's own resolvers.
    """

    dns_query: str
    node_basename: str
    port: int | None = None
    dns_server: tuple[str, int] | None = None

    def __str__(self) -> str:
        server = "" if self.dns_server is None else f" by {self.dns_server[0]} port {self.dns_server[1]}"
        return f"{self.node_basename}@{self.dns_query}{server}"


def read(variables: Variables) -> ClusterTerms | None:
    """None for a lone node. Mistakes go to the variables' report."""
    query, basename = (variables.get(name) for name in BOTH)
    if query is None and basename is None:
        return None
    if query is None or basename is None:
        there, missing = BOTH if basename is None else reversed(BOTH)
        variables.report.add(None, f"{there} is set and {missing} is not: a cluster needs both, a lone node neither")
        return None
    if variables.get("SECRET_KEY_BASE") is None:
        variables.report.add(None, "SECRET_KEY_BASE is required with CLUSTER_DNS_QUERY (it signs what nodes tell)")
    _check(variables, "CLUSTER_DNS_QUERY", query, _NAME, "a DNS name")
    _check(variables, "CLUSTER_NODE_BASENAME", basename, _BASENAME, "a word of letters, digits, - and _")
    port = variables.integer("CLUSTER_PORT", 0, least=1, most=65_535)
    return ClusterTerms(query, basename, port or None, _server(variables))


def _check(variables: Variables, name: str, value: str, pattern: re.Pattern[str], wanted: str) -> None:
    if not pattern.fullmatch(value):
        variables.report.add(None, f"{name} must be {wanted}, found {value[:40]!r}")


def _server(variables: Variables) -> tuple[str, int] | None:
    name = "CLUSTER_DNS_SERVER"
    value = variables.get(name)
    if value is None:
        return None
    host, colon, port = value.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):  # no port: all of it is the address
        host, port = value, str(DNS_PORT)
    try:
        address = str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]")))
        number = int(port) if re.fullmatch(r"[0-9]{1,5}", port) else 0
        if not 1 <= number <= 65_535:
            raise ValueError(port)
    except ValueError:
        variables.report.add(
            None, f"{name} must be an IP address and a port, such as 10.0.0.2:53, found {value[:40]!r}"
        )
        return None
    return address, number
