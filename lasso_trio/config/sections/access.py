"""Who may use a profile: `auth`, `cors`, `methods`, `networks`. Without any of them, everybody."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Final

from lasso_trio.config.access import AccessPolicy, Auth, Network
from lasso_trio.config.fields import Fields
from lasso_trio.config.sections.access_keys import read_keys
from lasso_trio.config.sections.access_names import read_names
from lasso_trio.config.sections.jwt import read_jwt

ACCESS_KEYS: Final = ("auth", "cors", "methods", "networks")
AUTH_KEYS: Final = ("keys", "keys_file", "jwt")
CORS_KEYS: Final = ("origins",)

_ORIGIN: Final = re.compile(r"\*|(?:https?|chrome-extension|moz-extension)://(?:\*\.)?[a-z0-9._-]+(?::[0-9]{1,5})?")


def read_access(fields: Fields, chains: tuple[str, ...]) -> AccessPolicy:
    """`fields`: the profile's; `chains`: every name of its chains."""
    return AccessPolicy(
        auth=_auth(fields, chains),
        origins=_origins(fields.section("cors", CORS_KEYS)),
        methods=read_names(fields, "methods"),
        networks=_networks(fields),
    )


def _auth(profile: Fields, chains: tuple[str, ...]) -> Auth | None:
    fields = profile.section("auth", AUTH_KEYS)
    if fields is None:
        return None
    if not any(key in fields for key in AUTH_KEYS):
        profile.complain("auth", f"'auth' needs one of {', '.join(AUTH_KEYS)}")
    return Auth(read_keys(fields, chains), read_jwt(fields))


def _origins(fields: Fields | None) -> tuple[str, ...]:
    if fields is None:
        return ("*",)
    fields.require("origins")
    origins = fields.texts("origins")
    for origin in origins:
        if not _ORIGIN.fullmatch(origin.text):
            what = (
                f"{origin.shown!r} is no origin: write scheme://host or scheme://*.host, in lower case, without a path"
            )
            fields.report.add(origin.line, what)
    return tuple(origin.text for origin in origins)


def _networks(fields: Fields) -> tuple[Network, ...]:
    if "networks" not in fields:
        return ()
    texts = fields.texts("networks")
    if not texts:
        fields.complain("networks", "'networks' must name a network; leave it out to let everybody in")
    networks: list[Network] = []
    for text in texts:
        try:
            networks.append(ip_network(text.text))
        except ValueError as fault:
            fields.report.add(text.line, f"'networks': {fault}")
    return tuple(networks)
