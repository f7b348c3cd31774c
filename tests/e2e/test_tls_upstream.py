"""Providers behind TLS: whom the proxy believes, and what it does when a certificate is not the provider's.

nginx stands before a node with certificates of a throwaway authority, which the proxy trusts by SSL_CERT_FILE, as any
program on OpenSSL does. nginx' access log tells what arrived.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import pytest
import trustme

from tests.e2e import nginx, toolbox
from tests.e2e.conftest import Serve
from tests.e2e.fleet import Fleet
from tests.e2e.history import History
from tests.e2e.lasso import Lasso
from tests.e2e.test_fidelity import request, rows

ASK = '{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'


@attrs.frozen
class Front:
    """nginx with TLS before the fleet's first node."""

    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def arrived(self) -> int:
        return len(self.log.read_text().splitlines())


Secure = Callable[..., Front]


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return authority


@pytest.fixture
def trusting(tmp_path: Path, authority: trustme.CA) -> dict[str, str]:
    """The environment of a proxy that trusts `authority`. It does not probe: what arrives is counted."""
    return {"SSL_CERT_FILE": str(tmp_path / "ca.pem"), "LASSO_PROBES": "off"}


@pytest.fixture
def secure(fleet: Fleet, history: History, tmp_path: Path) -> Iterator[Secure]:
    """Start an nginx with a certificate of `authority` for `host`."""
    with ExitStack() as stack:

        def start(authority: trustme.CA, host: str) -> Front:
            port = toolbox.free_port()
            certificate, log = tmp_path / f"{port}.pem", tmp_path / f"{port}.log"
            authority.issue_cert(host).private_key_and_cert_chain_pem.write_to_path(certificate)
            server = nginx.tls_for(fleet.first.port, port, certificate, log)
            stack.enter_context(nginx.running(tmp_path / f"nginx{port}", server, port))
            return Front(port, log)

        yield start


def served_by(lasso: Lasso) -> list[str]:
    """Who answered. Ends the proxy: then its log is whole, and nginx' too."""
    lasso.stop()
    return [record["routing"]["selected_provider"]["id"] for record in lasso.completed()]


def error(lasso: Lasso) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(lasso.ask(ASK))["error"]
    return told


def test_a_provider_behind_tls_answers_as_without(
    fleet: Fleet, history: History, secure: Secure, authority: trustme.CA, trusting: dict[str, str], serve: Serve
) -> None:
    front = secure(authority, "localhost")
    lasso = serve({"secure": front.url}, env=trusting)
    table = rows(history)
    for name in ("block with transactions", "custom error", "steps", "long list"):
        ask = request(table[name], "1")
        assert lasso.ask(ask) == fleet.first.ask(ask), name
    assert served_by(lasso) == ["secure"] * 4
    assert front.arrived == 4


def test_a_certificate_for_another_host_is_refused_and_another_provider_asked(
    fleet: Fleet, secure: Secure, authority: trustme.CA, trusting: dict[str, str], serve: Serve
) -> None:
    wrong, right = secure(authority, "rpc.example.org"), secure(authority, "localhost")
    lasso = serve({"wrong": wrong.url, "right": right.url}, env=trusting)
    assert lasso.ask(ASK, lasso.path("priority")) == fleet.first.ask(ASK)
    assert served_by(lasso) == ["right"]
    assert (wrong.arrived, right.arrived) == (0, 1)


@pytest.mark.parametrize("host", ["rpc.example.org", "127.0.0.1"])
def test_nothing_is_sent_to_a_host_whose_certificate_is_anothers(
    secure: Secure, authority: trustme.CA, trusting: dict[str, str], serve: Serve, host: str
) -> None:
    front = secure(authority, host)
    lasso = serve({"only": front.url}, env=trusting)
    assert error(lasso)["code"] < 0
    assert front.arrived == 0


def test_nothing_is_sent_to_a_host_whose_authority_nobody_trusts(
    secure: Secure, trusting: dict[str, str], serve: Serve
) -> None:
    front = secure(trustme.CA(), "localhost")
    lasso = serve({"only": front.url}, env=trusting)
    assert error(lasso)["code"] < 0
    assert front.arrived == 0
