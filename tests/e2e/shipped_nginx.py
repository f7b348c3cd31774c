"""nginx with the configuration that we ship, on loopback and with a throwaway certificate: before one node as in
`deploy/nginx/*.conf`, before three as `deploy/compose` has it.

Only addresses, names and files are exchanged, each of which must be there; every directive is the shipped one. What
counts as a private network is narrowed to a part of loopback, so that a test can come from outside.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import attrs
import trustme

from tests.e2e import nginx, toolbox

SHIPPED: Final = toolbox.ROOT / "deploy" / "nginx"
NODES: Final = toolbox.ROOT / "deploy" / "compose" / "lasso-nodes.conf"
HOST: Final = "127.0.0.1"
STRANGER: Final = "127.0.0.99"
"""A client's address outside the private networks."""

_PRIVATE: Final = "127.0.0.0/27"
_CERTIFICATE: Final = "/etc/nginx/tls/rpc.example.com"


@attrs.frozen
class Front:
    """`port` speaks TLS, `plain` only sends there. `log`: the file of requests."""

    port: int
    plain: int
    authority: trustme.CA
    log: Path

    @property
    def trust(self) -> ssl.SSLContext:
        """Believes the certificate. One for each client: some write into it which protocols they speak."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}"


@contextmanager
def running(folder: Path, lasso_port: int, ops_port: int) -> Iterator[Front]:
    """The shipped server before a proxy whose operators' port is `ops_port`."""
    text = "".join(path.read_text() for path in sorted(SHIPPED.glob("*.conf")))
    places = {"127.0.0.1:4000 ": f"127.0.0.1:{lasso_port} ", "127.0.0.1:4001;": f"127.0.0.1:{ops_port};"}
    with _served(folder, text, places) as front:
        yield front


@contextmanager
def before_three(folder: Path, nodes: Sequence[str]) -> Iterator[Front]:
    """The same server before three nodes, each a `host:port` that has the operators' pages as well."""
    named = [(f"lasso-{n}", node) for n, node in enumerate(nodes, start=1)]
    places = {f"{name}:4000 ": f"{node} " for name, node in named} | {
        f"{name}:4001;": f"{node};" for name, node in named
    }
    with _served(folder, (SHIPPED / "lasso.conf").read_text() + NODES.read_text(), places) as front:
        yield front


@contextmanager
def _served(folder: Path, text: str, places: Mapping[str, str]) -> Iterator[Front]:
    authority, files = trustme.CA(), folder / "tls"
    files.mkdir(parents=True)
    issued = authority.issue_cert(HOST)
    issued.private_key_pem.write_to_path(files / "key")
    issued.cert_chain_pems[0].write_to_path(files / "crt")
    front = Front(toolbox.free_port(), toolbox.free_port(), authority, files / "access.log")
    with nginx.running(folder / "nginx", adapted(text, front, files, places), front.port, front.plain):
        yield front


def adapted(text: str, front: Front, files: Path, places: Mapping[str, str]) -> str:
    """`text` with this test's addresses and files. `places`: where the nodes are."""
    exchanged = {
        " [::]:80;": f" 127.0.0.1:{front.plain};",
        " [::]:443 ssl http2;": f" 127.0.0.1:{front.port} ssl http2;",
        "    listen 80;\n": "",
        "    listen 443 ssl http2;\n": "",
        "allow 127.0.0.0/8;": f"allow {_PRIVATE};",
        f"{_CERTIFICATE}.crt": str(files / "crt"),
        f"{_CERTIFICATE}.key": str(files / "key"),
        "server_name rpc.example.com;": f"server_name {HOST};",
        "/var/log/nginx/access.log": str(front.log),
        **{f"server {there}": f"server {here}" for there, here in places.items()},
    }
    for there, here in exchanged.items():
        assert there in text, f"{SHIPPED.name} no longer has {there!r}"
        text = text.replace(there, here)
    return text
