"""One answer over HTTP, or why there was none."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec


@attrs.frozen
class Page:
    """`status` is 0 when nobody answered; `fault` then says why. `seconds` until the whole body was there."""

    url: str
    status: int = 0
    kind: str = ""
    """The content type, without parameters."""
    body: bytes = attrs.field(default=b"", repr=False)
    seconds: float = 0.0
    version: str = ""
    """As httpx names it: `HTTP/1.1`, `HTTP/2`."""
    location: str = ""
    fault: str = ""

    @property
    def answered(self) -> bool:
        return self.status != 0

    @property
    def said(self) -> str:
        """In words: the status, or why there is none."""
        return f"HTTP {self.status}" if self.answered else self.fault or "no answer"

    @property
    def row(self) -> dict[str, Any]:
        """The body as a JSON object; empty when it is none."""
        try:
            value = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}
