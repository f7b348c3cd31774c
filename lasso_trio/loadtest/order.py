"""What is to be measured: whom, with which calls, how many, how fast. What is wrong is said before a call is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs
import msgspec

from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.errors import ConfigError, Problem
from lasso_trio.loadtest.outcome import Asked
from lasso_trio.upstream.endpoint import Endpoint

USUAL_METHOD: Final = "eth_blockNumber"
MOST_CLIENTS: Final = 10_000
_JSON: Final = {"content-type": "application/json"}


@attrs.frozen
class Order:
    """`rate` calls a second, due at their time whatever came of the earlier ones; None: each client calls again as soon
    as it is answered. Ends after `calls` calls or `duration_s` seconds, whichever is first. `bodies` are used in turn.
    """

    endpoint: Endpoint
    bodies: tuple[bytes, ...] = attrs.field(repr=False)
    calls: int = 1_000
    clients: int = 10
    rate: float | None = None
    duration_s: float | None = None
    timeout_s: float = 10.0
    asked: tuple[Asked, ...] = attrs.field(repr=False)
    """What each of the bodies wants answered."""

    @asked.default
    def _asked(self) -> tuple[Asked, ...]:
        return tuple(map(Asked.of, self.bodies))


@attrs.frozen
class Request:
    """The options as click read them. `request`: a file with a body, or with one on each line."""

    url: str = attrs.field(repr=False)
    calls: int | None = None
    clients: int = 10
    rate: float | None = None
    duration: float | None = None
    method: str = USUAL_METHOD
    params: str = "[]"
    request: Path | None = None
    header: tuple[str, ...] = attrs.field(default=(), repr=False)
    timeout: float = 10.0

    def order(self) -> Order:
        """Raises ConfigError with all that is wrong, or OSError when the file cannot be read."""
        problems: list[str] = []
        endpoint, bodies = self._endpoint(problems), self._bodies(problems)
        if endpoint is None or problems:
            raise ConfigError([Problem("lasso bench", None, problem) for problem in problems])
        calls = self.calls or (1_000 if self.duration is None else 10**9)
        return Order(endpoint, bodies, calls, self.clients, self.rate, self.duration, self.timeout)

    def _endpoint(self, problems: list[str]) -> Endpoint | None:
        headers = self._headers(problems)
        try:
            return Endpoint.from_url(SecretUrl(self.url), headers)
        except ValueError as fault:  # says no value
            problems.append(str(fault))
            return None

    def _headers(self, problems: list[str]) -> Mapping[str, Secret]:
        headers = {name: Secret(value) for name, value in _JSON.items()}
        for line in self.header:
            name, colon, value = line.partition(":")
            if colon:
                headers[name.strip().lower()] = Secret(value.strip())
            else:
                problems.append("a header is written as 'Name: value'")
        return headers

    def _bodies(self, problems: list[str]) -> tuple[bytes, ...]:
        if self.request is None:
            return self._one_call(problems)
        bodies = tuple(_bodies_of(self.request.read_bytes()))
        if not bodies or not all(map(_is_request, bodies)):
            problems.append(f"{self.request} is neither a JSON-RPC request (or batch) nor one on each line")
        return bodies

    def _one_call(self, problems: list[str]) -> tuple[bytes, ...]:
        try:
            params = msgspec.json.decode(self.params)
        except msgspec.DecodeError as fault:
            problems.append(f"--params is not JSON: {fault}")
            return ()
        return (msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": self.method, "params": params}),)


def _bodies_of(text: bytes) -> Iterator[bytes]:
    """The whole text where it is one JSON value, else its lines."""
    if _is_request(text):
        yield text.strip()
    else:
        yield from (line for line in map(bytes.strip, text.splitlines()) if line)


def _is_request(text: bytes) -> bool:
    """A JSON-RPC 2.0 object with a method and an id, or a batch of them."""
    try:
        Asked.of(text)
    except (ValueError, RecursionError):
        return False
    return True
