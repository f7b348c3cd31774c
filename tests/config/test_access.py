from __future__ import annotations

from ipaddress import ip_network

import pytest

from lasso_trio.config.access import ANY, OPEN, AccessPolicy, Auth, Names


@pytest.mark.parametrize(
    ("names", "permitted", "refused"),
    [
        (ANY, ["eth_call", "anything"], []),
        (Names(("eth_*", "net_version")), ["eth_call", "net_version"], ["net_peers", "xeth_call", "ETH_call"]),
        (Names(deny=("eth_send*",)), ["eth_call"], ["eth_sendRawTransaction"]),
        (Names(("eth_*",), ("eth_call",)), ["eth_gasPrice"], ["eth_call"]),
        (Names(()), [], ["eth_call", ""]),
        (Names(("a.c",)), ["a.c"], ["abc", "a.c\n"]),
    ],
)
def test_a_name_is_permitted_that_is_allowed_and_not_denied(
    names: Names, permitted: list[str], refused: list[str]
) -> None:
    assert [name for name in (*permitted, *refused) if names.permits(name)] == permitted


def test_names_that_permit_everything_restrict_nothing() -> None:
    assert not ANY
    assert not Names(("eth_call", "*"))
    assert Names(deny=("x",))
    assert Names(())


@pytest.mark.parametrize(
    ("policy", "is_open", "anybody"),
    [
        (OPEN, True, True),
        (AccessPolicy(auth=Auth()), False, False),
        (AccessPolicy(networks=(ip_network("10.0.0.0/8"),)), False, False),
        (AccessPolicy(origins=("https://a.example",)), False, True),
        (AccessPolicy(methods=Names(("eth_*",))), False, True),
    ],
)
def test_only_keys_and_networks_keep_strangers_out(policy: AccessPolicy, is_open: bool, anybody: bool) -> None:
    assert (policy.is_open, policy.lets_anybody_in) == (is_open, anybody)


def test_what_has_several_names_may_be_used_by_any_unless_one_is_denied() -> None:
    assert Names(("eth",)).permits_one_of(["eth", "1"])
    assert not Names(("base",)).permits_one_of(["eth", "1"])
    assert not Names(deny=("eth",)).permits_one_of(["1", "eth"])
