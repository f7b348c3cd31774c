"""One entry of a chain's `providers` list: a profile's name for an instance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs

from lasso_trio.config.document import Items, Table
from lasso_trio.config.fields import Fields, found
from lasso_trio.config.identity import instance_id
from lasso_trio.config.profile import Provider, SharingMode
from lasso_trio.config.sections.allowance import ALLOWANCE_KEYS, read_allowance
from lasso_trio.config.sections.capabilities import CAPABILITY_KEYS, read_capabilities
from lasso_trio.config.sections.endpoint import HTTP_SCHEMES, WS_SCHEMES, read_headers, read_url
from lasso_trio.config.sections.names import check_name

PROVIDER_KEYS: Final = (
    "id",
    "name",
    "priority",
    "url",
    "ws_url",
    "archival",
    "subscribe_new_heads",
    "sharing_mode",
    "api_key",
    "headers",
    "auth_headers",
    "capabilities",
    "limits",
)
_SHARING_MODES: Final = {mode.value: mode for mode in SharingMode}


@attrs.frozen
class ProviderHome:
    """What a provider takes from around it."""

    chain_id: int
    profile: str
    subscribe_new_heads: bool


def read_providers(chain: Fields, home: ProviderHome) -> tuple[Provider, ...]:
    """The chain's providers in file order, at least one; ids are unique."""
    providers: dict[str, Provider] = {}
    for fields in _entries(chain):
        provider = _provider(fields, home)
        if provider.id in providers:
            fields.complain("id", f"duplicate provider id {provider.id!r}")
        providers.setdefault(provider.id, provider)
    return tuple(providers.values())


def _entries(chain: Fields) -> Iterator[Fields]:
    chain.require("providers")
    node = chain.node("providers")
    if "providers" in chain and not (isinstance(node, Items) and node.nodes):
        chain.complain("providers", f"'providers' must be a list of at least one provider of {chain.kind}")
    for item in node.nodes if isinstance(node, Items) else ():
        if isinstance(item, Table):
            yield Fields(item, "provider", PROVIDER_KEYS, chain.report)
        else:
            chain.report.add(item.line, f"a provider must hold `key: value` lines, found {found(item)}")


def _provider(fields: Fields, home: ProviderHome) -> Provider:
    identifier = _identifier(fields)
    url, ws_url = read_url(fields, "url", HTTP_SCHEMES), read_url(fields, "ws_url", WS_SCHEMES)
    if fields.node("url") is None and fields.node("ws_url") is None:
        fields.report.add(fields.own_line, "provider needs 'url' or 'ws_url' (or both)")
    headers = read_headers(fields)
    mode = fields.choice("sharing_mode", _SHARING_MODES, SharingMode.AUTO)
    isolated_in = home.profile if mode is SharingMode.ISOLATED else None
    return Provider(
        id=identifier,
        name=fields.text("name", identifier),
        instance_id=instance_id(home.chain_id, url, ws_url, headers, isolated_in),
        url=url,
        ws_url=ws_url,
        priority=fields.integer("priority", 100),
        archival=fields.boolean("archival", True),
        subscribe_new_heads=fields.boolean("subscribe_new_heads", home.subscribe_new_heads),
        sharing_mode=mode,
        headers=headers,
        capabilities=read_capabilities(fields.section("capabilities", CAPABILITY_KEYS)),
        allowance=read_allowance(fields.section("limits", ALLOWANCE_KEYS)),
    )


def _identifier(fields: Fields) -> str:
    """The id, or a stand-in that no other provider has: one mistake must not look like a duplicate as well."""
    fields.require("id")
    stand_in = f"<line {fields.own_line}>"
    identifier = fields.text("id", stand_in)
    if identifier != stand_in:
        check_name("provider id", identifier, fields.line("id"), fields.report)
    return identifier
