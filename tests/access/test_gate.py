from __future__ import annotations

from ipaddress import ip_network
from math import inf

import pytest

from lasso_trio.access.api_key import digest_of, made
from lasso_trio.access.gate import MOST_CLIENTS, OTHERS, Counts, Gate
from lasso_trio.access.grant import Grant, Limits
from lasso_trio.access.token import Tokens
from lasso_trio.config.access import AccessPolicy, ApiKey, Auth, JwtPolicy, Terms
from lasso_trio.config.secret import Secret
from lasso_trio.jsonrpc.errors import RpcError
from tests.access.token_maker import NOW, SECRET, token

KEY = made("wallet")


def gate(disabled: bool = False, expires: float = inf, terms: Terms | None = None) -> Gate:
    key = ApiKey("wallet", digest_of(KEY), terms or Terms(), expires, disabled)
    jwt = JwtPolicy(("HS256",), Secret(SECRET))
    return Gate("public", AccessPolicy(Auth((key,), jwt)), Limits(), Tokens.of(jwt))


def reason(verdict: Grant | RpcError) -> object:
    assert isinstance(verdict, RpcError)
    assert verdict.status == 401
    assert isinstance(verdict.data, dict)
    return verdict.data["reason"]


def test_a_key_is_let_in_with_what_it_may_do() -> None:
    grant = gate(expires=NOW + 5, terms=Terms(7, 9)).look(KEY, NOW)
    assert isinstance(grant, Grant)
    assert (grant.client, grant.until, grant.bucket) == ("wallet", NOW + 5, "public key wallet")
    assert grant.limit is not None
    assert (grant.limit.rate, grant.limit.burst) == (7, 9)


def test_a_token_is_let_in_under_its_own_name_and_bucket() -> None:
    grant = gate().look(token(sub="wallet"), NOW)
    assert isinstance(grant, Grant)
    assert (grant.client, grant.until, grant.bucket, grant.limit) == ("wallet", NOW + 90, "public token wallet", None)


def test_who_shows_nothing_or_something_else_is_refused() -> None:
    assert reason(gate().look(None, NOW)) == "missing"
    assert reason(gate().look(made("wallet"), NOW)) == "unknown_key"
    assert reason(gate().look(made("nobody"), NOW)) == "unknown_key"
    assert reason(gate().look("x.y.z", NOW)) == "token"
    assert reason(gate().look(token(exp=NOW - 100), NOW)) == "token"


def test_a_disabled_key_is_as_good_as_none_and_an_expired_one_is_told_so() -> None:
    assert reason(gate(disabled=True).look(KEY, NOW)) == "unknown_key"
    assert reason(gate(expires=NOW).look(KEY, NOW)) == "expired"
    assert isinstance(gate(expires=NOW + 0.1).look(KEY, NOW), Grant)


def test_tokens_are_not_taken_where_nobody_said_so() -> None:
    without = Gate("public", AccessPolicy(Auth()), Limits())
    assert reason(without.look(token(), NOW)) == "unknown_key"
    assert without.version == 0


def test_without_auth_everybody_is_let_in() -> None:
    grant = Gate("public", AccessPolicy(origins=()), Limits()).look("whatever", NOW)
    assert isinstance(grant, Grant)
    assert (grant.client, grant.limit) == ("", None)


def test_no_refusal_repeats_what_was_shown() -> None:
    for shown in (KEY[:-1], made("x"), "x.y.z"):
        verdict = gate(disabled=True).look(shown, NOW)
        assert isinstance(verdict, RpcError)
        assert shown.encode() not in verdict.encode()


@pytest.mark.parametrize(
    ("host", "inside"),
    [("10.1.2.3", True), ("11.0.0.1", False), ("::ffff:10.0.0.1", True), ("2001:db8::1%eth0", True), ("::1", False),
     ("", False), ("name", False)],
)  # fmt: skip
def test_networks_let_their_addresses_in_and_no_others(host: str, inside: bool) -> None:
    policy = AccessPolicy(networks=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")))
    assert Gate("public", policy, Limits()).is_inside(host) is inside
    assert Gate("public", AccessPolicy(), Limits()).is_inside(host)


def test_clients_are_counted_by_name_up_to_a_number() -> None:
    counts = Counts()
    for number in range(MOST_CLIENTS + 50):
        counts.of(f"client {number}").calls += 1
    assert len(counts.clients) == MOST_CLIENTS + 1
    assert counts.of(OTHERS).calls == 50
    assert counts.of("client 0").calls == 1
