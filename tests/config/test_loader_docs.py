"""docs/profiles.md is true: its examples load, and it knows every field and word there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lasso_trio.config.categories import ERROR_CATEGORIES, METHOD_CATEGORIES
from lasso_trio.config.loader import load_profile_text
from lasso_trio.config.profile import Strategy
from lasso_trio.config.sections import (
    access,
    access_keys,
    access_names,
    allowance,
    capabilities,
    chain,
    jwt,
    provider,
    routing,
    top,
)

DOCS = (Path(__file__).parent.parent.parent / "docs" / "profiles.md").read_text()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL)
FIELDS = (
    top.PROFILE_KEYS
    + chain.CHAIN_KEYS
    + chain.MONITORING_KEYS
    + chain.SELECTION_KEYS
    + chain.WEBSOCKET_KEYS
    + chain.OLD_FAILOVER_KEYS
    + chain.TOPOLOGY_KEYS
    + provider.PROVIDER_KEYS
    + access.AUTH_KEYS
    + access.CORS_KEYS
    + access_keys.KEY_KEYS
    + access_names.NAMES_KEYS
    + jwt.JWT_KEYS
    + allowance.ALLOWANCE_KEYS
    + capabilities.CAPABILITY_KEYS
    + capabilities.LIMIT_KEYS
    + capabilities.RULE_KEYS
    + routing.ROUTING_KEYS
    + routing.OVERRIDE_KEYS
)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_loads(example: str) -> None:
    assert load_profile_text(example, "<docs>", {"ALCHEMY_KEY": "k", "ARCHIVE_KEY": "k"}).chains


def test_front_matter_and_one_document_are_really_the_same_profile() -> None:
    with_front_matter = next(example for example in EXAMPLES if example.startswith("---"))
    alone = EXAMPLES[EXAMPLES.index(with_front_matter) + 1]
    assert load_profile_text(with_front_matter, "<docs>", {}) == load_profile_text(alone, "<docs>", {})


@pytest.mark.parametrize("word", [*dict.fromkeys(FIELDS), *METHOD_CATEGORIES, *ERROR_CATEGORIES, *Strategy])
def test_every_field_and_word_is_documented(word: str) -> None:
    assert re.search(rf"`([\w.<>\[\]-]*\.)?{re.escape(word)}(\.[\w.<>-]+)?`", DOCS)
