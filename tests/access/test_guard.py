from __future__ import annotations

from ipaddress import ip_network

import pytest

from lasso_trio.access.api_key import digest_of, made
from lasso_trio.access.gate import Gate
from lasso_trio.access.grant import Limits
from lasso_trio.access.guard import Guard
from lasso_trio.access.token import Tokens
from lasso_trio.config.access import AccessPolicy, ApiKey, Auth, JwtPolicy, Names, Terms
from lasso_trio.config.secret import Secret
from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.routing.client_limit import ClientLimit
from tests.access.token_maker import ED, NOW, SECRET, jwks, token

KEY = made("wallet")
HOST = "10.0.0.1"


def guard(policy: AccessPolicy, credential: str | None = None, origin: str | None = None) -> Guard:
    jwt = None if policy.auth is None else policy.auth.jwt
    gate = Gate("public", policy, Limits(), None if jwt is None else Tokens.of(jwt))
    return Guard(gate, credential, ("eth", "main", "1"), origin)


def keyed(terms: Terms, **policy: Names) -> Guard:
    return guard(AccessPolicy(Auth((ApiKey("wallet", digest_of(KEY), terms),)), **policy), KEY)


def reason(error: RpcError | None) -> tuple[int, object]:
    assert error is not None
    assert isinstance(error.data, dict)
    return error.status, error.data["reason"]


def test_who_is_known_may_call_and_has_a_name() -> None:
    known = keyed(Terms())
    assert (known.admit(HOST, NOW), known.client) == (None, "wallet")


@pytest.mark.parametrize(("chains", "lets"), [(("main",), True), (("1",), True), (("e*",), True), (("base",), False)])
def test_a_chain_is_meant_by_any_of_its_names(chains: tuple[str, ...], lets: bool) -> None:
    error = keyed(Terms(chains=Names(chains))).admit(HOST, NOW)
    assert error is None if lets else reason(error) == (403, "chain")


@pytest.mark.parametrize(("denied", "lets"), [("main", False), ("eth", False), ("1", False), ("base", True)])
def test_a_chain_that_is_denied_by_one_name_is_denied_by_all(denied: str, lets: bool) -> None:
    error = keyed(Terms(chains=Names(deny=(denied,)))).admit(HOST, NOW)
    assert error is None if lets else reason(error) == (403, "chain")


def test_methods_are_forbidden_by_the_profile_or_the_key_and_counted() -> None:
    known = keyed(Terms(methods=Names(deny=("eth_send*",))), methods=Names(("eth_*",)))
    assert known.admit(HOST, NOW) is None
    assert known.forbids("eth_call") is None
    assert reason(known.forbids("eth_sendRawTransaction")) == (403, "method")
    assert reason(known.forbids("net_version")) == (403, "method")
    assert known.gate.counts.of("wallet").forbidden == 2


def test_networks_and_origins_come_before_credentials() -> None:
    policy = AccessPolicy(Auth(), origins=("https://a.example",), networks=(ip_network("10.0.0.0/8"),))
    assert reason(guard(policy).admit("11.0.0.1", NOW)) == (403, "network")
    assert reason(guard(policy, origin="https://b.example").admit(HOST, NOW)) == (403, "origin")
    assert reason(guard(policy, origin="https://a.example").admit(HOST, NOW)) == (401, "missing")
    assert reason(guard(policy).admit(HOST, NOW)) == (401, "missing")  # no web page


def test_what_is_refused_is_counted_by_kind() -> None:
    refused = guard(AccessPolicy(Auth()))
    refused.admit(HOST, NOW)
    assert refused.gate.counts.refused == {"client_unauthorized": 1}


def test_a_credential_is_looked_at_once_until_it_ends() -> None:
    jwt = JwtPolicy(("HS256",), Secret(SECRET), leeway_s=0)
    known = guard(AccessPolicy(Auth(jwt=jwt)), token())
    assert known.admit(HOST, NOW) is None
    assert known.gate.tokens is not None
    known.gate.tokens.keys = []
    known.gate.tokens._known.clear()
    assert known.admit(HOST, NOW + 59.9) is None
    assert reason(known.admit(HOST, NOW + 60)) == (401, "token")


def test_what_was_refused_is_looked_at_again_after_a_second() -> None:
    jwt = JwtPolicy(("HS256",), Secret(SECRET), leeway_s=0)
    early = guard(AccessPolicy(Auth(jwt=jwt)), token(nbf=NOW + 5))
    assert reason(early.admit(HOST, NOW + 4.5)) == (401, "token")
    assert reason(early.admit(HOST, NOW + 5.4)) == (401, "token")
    assert early.admit(HOST, NOW + 5.5) is None


def test_exchanged_keys_are_noticed_at_once() -> None:
    known = guard(AccessPolicy(Auth(jwt=JwtPolicy(("EdDSA",), jwks=jwks()))), token(ED, "Ed25519"))
    assert known.admit(HOST, NOW) is None
    from tests.access.token_maker import EC

    assert known.gate.tokens is not None
    known.gate.tokens.use(jwks(EC))
    assert reason(known.admit(HOST, NOW)) == (401, "token")


def test_a_key_with_a_rate_has_its_own_bucket_and_one_without_its_addresss() -> None:
    everybody = ClientLimit(1, 1)
    own, shared = keyed(Terms(2, 2)), keyed(Terms())
    for known in (own, shared):
        assert known.admit(HOST, NOW) is None
    assert [own.take(everybody, HOST, 1, 0.0) for _ in range(2)] == [(own.grant.limit, 0.0)] * 2
    limit, wait = own.take(everybody, "10.9.9.9", 1, 0.0)
    assert (limit, wait) == (own.grant.limit, 0.5)
    assert shared.take(everybody, HOST, 1, 0.0) == (everybody, 0.0)
    assert shared.take(everybody, HOST, 1, 0.0) == (everybody, 1.0)
    counts = own.gate.counts.of("wallet")
    assert (counts.calls, counts.limited) == (2, 1)


def test_the_credential_is_not_shown() -> None:
    assert KEY not in repr(keyed(Terms()))
