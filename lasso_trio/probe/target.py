"""Whom to ask: URLs as they were typed, and the providers of a profile's chains. Knows what must not be seen.

A target's `clean` is the last thing that happens to text from outside before it is kept: an endpoint may quote the key
it was called with, in a text that no pattern would recognise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

import attrs

from lasso_trio.config.profile import Chain, Profile, Provider
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import MASK, Secret, SecretUrl
from lasso_trio.errors import ConfigError, Problem
from lasso_trio.telemetry.scrub import printable, scrub

SHORTEST_KEY: Final = 8
LONGEST_TEXT: Final = 200
_SCHEMES: Final = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_URL_TEXT: Final = re.compile(r"[\x21-\x7e]+")


@attrs.frozen
class Target:
    """At least one of `url` and `ws_url`. `ws_given`: its owner says that there is a WebSocket, we did not guess."""

    name: str
    chain: str | None = None
    chain_id: int | None = None
    url: SecretUrl | None = None
    ws_url: SecretUrl | None = None
    ws_given: bool = False
    headers: Mapping[str, Secret] = attrs.field(factory=dict)
    provider: Provider | None = None

    @property
    def shown(self) -> str:
        return str(self.url or self.ws_url)

    def clean(self, text: str) -> str:
        """`text` of the endpoint, short, on one line, without keys."""
        for secret in self._secrets():
            text = text.replace(secret, MASK)
        return printable(scrub(text, LONGEST_TEXT))

    def _secrets(self) -> list[str]:
        parts = [value.reveal() for value in self.headers.values()]
        parts += [value.removeprefix("Bearer ") for value in parts]
        for url in filter(None, (self.url, self.ws_url)):
            split = urlsplit(url.reveal())
            parts += [url.reveal(), *split.path.split("/"), split.username or "", split.password or ""]
            parts += [piece.partition("=")[2] for piece in split.query.split("&")]
        return sorted({part for part in parts if len(part) >= SHORTEST_KEY}, key=len, reverse=True)


def url_target(url: str) -> Target:
    """A URL from the command line. Raises ConfigError when it is none (without showing it)."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0 and _URL_TEXT.fullmatch(url) and not parts.fragment
    except ValueError:
        usable = False
    if not usable or parts.scheme not in _SCHEMES:
        raise usage("a URL must be http(s)://… or ws(s)://…, with a host, without spaces or '#'")
    is_ws = parts.scheme in ("ws", "wss")
    websocket = parts._replace(scheme=_SCHEMES[parts.scheme]).geturl()
    name = parts.netloc.rpartition("@")[2]
    return Target(name, url=None if is_ws else SecretUrl(url), ws_url=SecretUrl(websocket), ws_given=is_ws)


def chain_targets(profiles: Iterable[Profile], name: str) -> tuple[Target, ...]:
    """Every instance that a profile names for the chain. Raises ConfigError when no profile has it."""
    sets = [(profile, ProfileSet.of([profile]).find_chain(profile, name)) for profile in profiles]
    chains = [chain for _, chain in sets if chain is not None]
    if not chains:
        known = sorted({chain.key for profile, _ in sets for chain in profile.chains})
        raise usage(f"no profile has a chain {name!r}; there are {', '.join(known)}")
    return _distinct(chains)


def all_targets(profile: Profile) -> tuple[Target, ...]:
    """Every instance of every chain of a profile."""
    return _distinct(profile.chains)


def usage(what: str) -> ConfigError:
    return ConfigError([Problem("lasso probe", None, what)])


def _distinct(chains: Iterable[Chain]) -> tuple[Target, ...]:
    found: dict[str, Target] = {}
    for chain in chains:
        for provider in chain.providers:
            found.setdefault(provider.instance_id, _provider_target(chain, provider))
    return tuple(found.values())


def _provider_target(chain: Chain, provider: Provider) -> Target:
    return Target(
        provider.id,
        chain.key,
        chain.chain_id,
        provider.url,
        provider.ws_url,
        provider.ws_url is not None,
        provider.headers,
        provider,
    )
