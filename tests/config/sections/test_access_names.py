from __future__ import annotations

from collections.abc import Callable

import pytest

from lasso_trio.config.access import ANY, Names
from lasso_trio.config.profile import Profile

CHAINS = "chains: {eth: {chain_id: 1, providers: [{id: a, url: 'http://a'}]}}\n"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", ANY),
        ("methods: [eth_*, net_version]", Names(("eth_*", "net_version"))),
        ("methods: []", Names(())),
        ("methods: {deny: [eth_sign]}", Names(deny=("eth_sign",))),
        ("methods: {allow: [eth_*], deny: [eth_sign]}", Names(("eth_*",), ("eth_sign",))),
        ("methods: {allow: []}", Names(())),
    ],
)
def test_a_list_is_short_for_what_is_allowed(read: Callable[..., Profile], text: str, names: Names) -> None:
    assert read(f"{text}\n{CHAINS}").access.methods == names
