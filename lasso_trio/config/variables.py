"""Typed, strict reading of environment variables: every mistake is noted, defaults stand in, values are never shown
when they may be secrets. An empty variable counts as unset, because that is how compose files and shells unset one.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Collection, Mapping
from typing import Final, TypeAlias, TypeVar

import attrs

from lasso_trio.config.report import Report, nearest

T = TypeVar("T")
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
_DIGITS: Final = re.compile(r"[0-9]{1,15}")
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_WORD: Final = re.compile(r"[\x21-\x7e]{1,128}")


@attrs.frozen
class Variables:
    """The variables in `environ`; mistakes go to `report`."""

    environ: Mapping[str, str]
    report: Report

    def get(self, name: str) -> str | None:
        value = self.environ.get(name, "").strip()
        return value or None

    def integer(self, name: str, default: int, *, least: int = 0, most: int | None = None) -> int:
        value = self.get(name)
        if value is None:
            return default
        number = int(value) if _DIGITS.fullmatch(value) else None
        if number is not None and least <= number and (most is None or number <= most):
            return number
        span = f"an integer of at least {least}" if most is None else f"an integer from {least} to {most}"
        return self._wrong(name, value, span, default)

    def number(self, name: str, default: float, *, most: float = math.inf) -> float:
        """A number from 0 to `most`."""
        value = self.get(name)
        if value is None:
            return default
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isfinite(number) and 0 <= number <= most:
            return number
        span = "a number of at least 0" if most == math.inf else f"a number from 0 to {most:g}"
        return self._wrong(name, value, span, default)

    def boolean(self, name: str, default: bool) -> bool:
        value = self.get(name)
        if value is None:
            return default
        known = _BOOLEANS.get(value.lower())
        return self._wrong(name, value, "true or false (or 1 or 0)", default) if known is None else known

    def choice(self, name: str, valid: Collection[str], default: str) -> str:
        value = self.get(name)
        if value is None or value.lower() in valid:
            return default if value is None else value.lower()
        return self._wrong(name, value, f"one of {', '.join(valid)}", default, nearest(value, valid))

    def host(self, name: str, default: str) -> str:
        value = self.get(name)
        if value is None or _HOST.fullmatch(value):
            return value or default
        return self._wrong(name, value, "a host name without scheme, port or path", default)

    def word(self, name: str, default: str) -> str:
        value = self.get(name)
        if value is None or _WORD.fullmatch(value):
            return value or default
        return self._wrong(name, value, "one word of visible ASCII, at most 128 characters", default)

    def networks(self, name: str) -> tuple[Network, ...]:
        """Comma-separated addresses and CIDRs."""
        parts = [part.strip() for part in (self.get(name) or "").split(",") if part.strip()]
        return tuple(network for part in parts if (network := self._network(name, part)) is not None)

    def _network(self, name: str, text: str) -> Network | None:
        try:
            return ipaddress.ip_network(text)
        except ValueError as fault:
            self.report.add(None, f"{name} must be a list of CIDRs separated by commas: {fault}")
            return None

    def _wrong(self, name: str, value: str, wanted: str, default: T, hint: str | None = None) -> T:
        self.report.add(None, f"{name} must be {wanted}, found {value[:40]!r}", hint)
        return default
