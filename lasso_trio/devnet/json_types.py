"""Names for JSON as it comes: the one place in this package where `Any` is meant."""

from __future__ import annotations

from typing import Any

Json = Any
JsonObject = dict[str, Any]
