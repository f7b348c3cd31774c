"""Whom we trust: TLS contexts on the system's store, made once, because reading the store costs tens of milliseconds.

macOS and Windows keep their store behind an API that `truststore` speaks. Elsewhere it is a file that OpenSSL reads;
`truststore` would read it again for every connection, so there the standard library does it, once.
"""

from __future__ import annotations

import functools
import os
import ssl
import sys
from typing import Final

import truststore

CA_FILES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where distributions keep the store, for a Python whose OpenSSL was built for another place."""


@functools.cache
def trust(ca_file: str | None = None) -> ssl.SSLContext:
    """A verifying client context for HTTP/1.1. `ca_file`: PEM certificates trusted besides the system's."""
    context = _system_context()
    context.set_alpn_protocols(["http/1.1"])
    # A distribution's Python may leave the minimum to OpenSSL; where the system asks for more, that stands.
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


def _system_context() -> ssl.SSLContext:
    if sys.platform in ("darwin", "win32"):
        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"] and not os.environ.get("SSL_CERT_DIR"):
        for path in CA_FILES:
            if os.path.isfile(path):
                context.load_verify_locations(cafile=path)
                break
    return context
