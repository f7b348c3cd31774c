"""Values that must never be seen: API keys, and URLs and headers that carry them.

Redaction is by type: whatever may hold a key is a `Secret` from the moment it is read, and only `reveal()` (called
where bytes go to the provider) gives the text back. `str`, `repr`, `format` and JSON encoders see the mask. What people
need to recognise a provider is its origin, so `mask_url` keeps scheme, host and port and hides the rest.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

MASK: Final = "***"


class Secret:
    """Text that prints as `***`. Compares and hashes by value."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"<Secret {self}>"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._text == other._text

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._text))


class SecretUrl(Secret):
    """A URL whose path, query and user info may hold keys: prints as `https://host:port/***`."""

    __slots__ = ()

    def __str__(self) -> str:
        return mask_url(self._text)


def mask_url(url: str) -> str:
    """Scheme, host and port of `url`; everything that may carry a key becomes `***`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return MASK
    if not parts.scheme or not host:
        return MASK
    shown = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{shown}" + (f":{port}" if port else "")
    has_more = parts.path not in ("", "/") or parts.query or parts.username or parts.fragment
    return f"{origin}/{MASK}" if has_more else origin
