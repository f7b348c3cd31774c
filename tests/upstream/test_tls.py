"""The context verifies, offers HTTP/1.1 only, and is made once."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from lasso_trio.upstream import tls


def test_the_context_verifies_and_is_made_once() -> None:
    context = tls.trust()
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert tls.trust() is context


def test_a_ca_file_is_trusted_besides_the_systems(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    context = tls.trust(str(path))
    assert context is not tls.trust()
    assert context.cert_store_stats()["x509_ca"] == tls.trust().cert_store_stats()["x509_ca"] + 1


def test_a_python_built_elsewhere_finds_the_systems_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda self, purpose=None: None)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    monkeypatch.setattr(tls, "CA_FILES", (str(tmp_path / "absent"), str(path)))
    assert tls._system_context().cert_store_stats()["x509_ca"] == 1
