"""What a URL or a header of the command line must be, so that it can be sent: said before anything is done.

What is wrong is told without the value: both may hold a secret, and what is printed is kept by CI. For the same reason
a URL has no user name and no password in it: it stands in the report.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlsplit

from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.upstream.endpoint import Endpoint

LONGEST_LABEL: Final = 63
"""RFC 1035, 2.3.4."""
_SHAPE: Final = "must be http(s)://host[:port]"
_ANYWHERE: Final = SecretUrl("http://localhost")


def fault_of_url(url: str) -> str:
    """Why it cannot be used, to be read after the option's name; empty when it can."""
    try:
        parts = urlsplit(url)
        host = Endpoint.from_url(SecretUrl(url)).host
    except ValueError:
        return _SHAPE
    return _more_than_an_address(url, parts) or _fault_of_host(host)


def _more_than_an_address(url: str, parts: SplitResult) -> str:
    if "@" in parts.netloc:
        return "must hold no user name or password: it is printed. --header sends one with each call"
    if parts.query or parts.fragment:
        return f"{_SHAPE}, without what begins with ? or #"
    return "" if url.isprintable() and " " not in url else f"{_SHAPE}, without blanks"


def _fault_of_host(host: str) -> str:
    """Of a name as it is looked up."""
    too_long = any(len(label) > LONGEST_LABEL for label in host.split("."))
    return "names a host that no DNS can have: a part of it is too long" if too_long else ""


def fault_of_header(header: str) -> str:
    """Of `Name: value`: why it cannot be sent; empty when it can."""
    name, colon, value = header.partition(":")
    if not colon:
        return "must be 'Name: value'"
    try:
        Endpoint.from_url(_ANYWHERE, {name.strip(): Secret(value.strip())})
    except ValueError as fault:  # says no value
        return f"cannot be sent: {fault}"
    return ""
