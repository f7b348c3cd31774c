from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import Key, OKPKey

from lasso_trio.access.token import MOST_KNOWN, Bearer, TokenRefused, Tokens
from lasso_trio.config.access import JwtPolicy, Names, Terms
from lasso_trio.config.secret import Secret
from tests.access.token_maker import EC, ED, NOW, OCT, RSA, SECRET, jwks, token

HMAC = JwtPolicy(("HS256",), Secret(SECRET))
PUBLIC = JwtPolicy(("EdDSA", "ES256", "RS256"), jwks=jwks())


def refused(tokens: Tokens, text: str, now: float = NOW) -> str:
    with pytest.raises(TokenRefused) as caught:
        tokens.read(text, now)
    return str(caught.value)


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_signed_token_says_who_the_client_is_and_until_when() -> None:
    assert Tokens.of(HMAC).read(token(), NOW) == Bearer("alice", Terms(), NOW + 60 + 30)


@pytest.mark.parametrize(("key", "alg"), [(ED, "Ed25519"), (EC, "ES256"), (RSA, "RS256")])
@pytest.mark.parametrize("named", [True, False])
def test_public_keys_are_found_by_name_or_by_kind(key: Key, alg: str, named: bool) -> None:
    made = token(key, alg, None if named else {"kid": None})
    assert Tokens.of(PUBLIC).read(made, NOW).client == "alice"


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
def test_the_usual_name_of_ed25519_is_understood() -> None:
    assert Tokens.of(PUBLIC).read(token(ED, "EdDSA"), NOW).client == "alice"


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("of_key", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("of_token", ["EdDSA", "Ed25519"])
def test_a_key_may_say_by_either_name_that_it_is_for_ed25519(of_key: str, of_token: str) -> None:
    said = json.dumps({"keys": [ED.as_dict(private=False) | {"alg": of_key, "use": "sig"}]})
    assert Tokens.of(JwtPolicy(("EdDSA",), jwks=said)).read(token(ED, of_token), NOW).client == "alice"


@pytest.mark.parametrize("head", [{"alg": "none"}, {"alg": "None"}, {}, {"alg": ["HS256"]}, {"alg": None}])
def test_a_token_that_nobody_signed_is_never_believed(head: dict[str, Any]) -> None:
    body = segment({"sub": "alice", "exp": NOW + 60})
    for tokens in (Tokens.of(HMAC), Tokens.of(PUBLIC)):
        for signature in ("", "AAAA"):
            assert refused(tokens, f"{segment(head)}.{body}.{signature}")


@pytest.mark.filterwarnings("ignore:This key should not be used")
def test_a_public_key_is_never_taken_for_an_hmacs_secret() -> None:
    import hmac

    for public in (RSA.as_pem(private=False), json.dumps(ED.as_dict(private=False)).encode(), SECRET.encode()):
        head, body = segment({"alg": "HS256", "kid": "rsa"}), segment({"sub": "alice", "exp": NOW + 60})
        digest = hmac.digest(public, f"{head}.{body}".encode(), "sha256")
        forged = f"{head}.{body}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
        assert refused(Tokens.of(PUBLIC), forged)


def test_an_algorithm_that_the_profile_does_not_name_is_refused() -> None:
    assert refused(Tokens.of(JwtPolicy(("ES256",), jwks=jwks())), token(RSA, "RS256")) == "the token is not valid"
    assert refused(Tokens.of(JwtPolicy(("HS512",), Secret(SECRET))), token()) == "the token is not valid"


def test_a_key_in_the_tokens_own_head_is_not_looked_at() -> None:
    mine = OKPKey.generate_key("Ed25519", {"kid": "ed"})
    forged = token(mine, "Ed25519", {"jwk": mine.as_dict(private=False)})
    assert refused(Tokens.of(PUBLIC), forged) == "the token is not valid"


def test_of_several_keys_of_a_kind_the_named_one_is_taken_and_none_is_guessed() -> None:
    second = OKPKey.generate_key("Ed25519", {"kid": "ed2"})
    tokens = Tokens.of(JwtPolicy(("EdDSA",), jwks=jwks(ED, second)))
    assert tokens.read(token(second, "Ed25519"), NOW).client == "alice"
    assert refused(tokens, token(second, "Ed25519", {"kid": "ed"})) == "the token is not valid"
    assert refused(tokens, token(second, "Ed25519", {"kid": None})) == "the token's key is not known"
    assert refused(tokens, token(second, "Ed25519", {"kid": "other"})) == "the token's key is not known"


def test_one_changed_byte_is_enough() -> None:
    head, body, signature = token().split(".")
    other = segment({"sub": "root", "exp": NOW + 60})
    assert refused(Tokens.of(HMAC), f"{head}.{other}.{signature}") == "the token is not valid"
    assert refused(Tokens.of(HMAC), f"{head}.{body}.{signature[::-1]}") == "the token is not valid"


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": None}, "the token is not valid"),
        ({"exp": "soon"}, "the token is not valid"),
        ({"exp": NOW - 31}, "the token has expired"),
        ({"nbf": NOW + 31}, "the token is not valid"),
        ({"sub": None}, "the token's 'sub' must be a name"),
        ({"sub": 5}, "the token is not valid"),
        ({"sub": "a\nb"}, "the token's 'sub' must be a name"),
        ({"sub": "x" * 129}, "the token's 'sub' must be a name"),
        ({"lasso": 5}, "the token's 'lasso' says something else than what a client may do"),
        ({"lasso": {"rsp": 5}}, "the token's 'lasso' says something else than what a client may do"),
        ({"lasso": {"rps": 0}}, "the token's 'lasso' says something else than what a client may do"),
        ({"lasso": {"methods": "*"}}, "the token's 'lasso' says something else than what a client may do"),
    ],
)
def test_claims_that_are_not_as_they_should_be_are_refused(claims: dict[str, Any], why: str) -> None:
    assert refused(Tokens.of(HMAC), token(**claims)) == why


def test_the_leeway_forgives_clocks_that_differ() -> None:
    assert Tokens.of(HMAC).read(token(exp=NOW - 20), NOW).until == NOW + 10
    assert Tokens.of(HMAC).read(token(nbf=NOW + 20), NOW)


def test_issuer_and_audience_are_checked_where_they_are_named() -> None:
    tokens = Tokens.of(JwtPolicy(("HS256",), Secret(SECRET), issuer="me", audience="lasso"))
    assert tokens.read(token(iss="me", aud=["x", "lasso"]), NOW)
    for claims in ({"iss": "me"}, {"aud": "lasso"}, {"iss": "you", "aud": "lasso"}, {"iss": "me", "aud": "lass"}):
        assert refused(tokens, token(**claims)) == "the token is not valid"


def test_what_the_client_may_do_is_in_one_claim() -> None:
    claim = {"rps": 5, "burst": 9, "methods": ["eth_*"], "chains": {"deny": ["base"]}}
    bearer = Tokens.of(HMAC).read(token(lasso=claim), NOW)
    assert bearer.terms == Terms(5, 9, Names(("eth_*",)), Names(deny=("base",)))


def test_what_the_claim_leaves_out_is_not_restricted() -> None:
    assert Tokens.of(HMAC).read(token(lasso={"rps": 5}), NOW).terms == Terms(5)


def test_another_claim_may_name_the_client() -> None:
    tokens = Tokens.of(JwtPolicy(("HS256",), Secret(SECRET), client_claim="azp"))
    assert tokens.read(token(azp="app"), NOW).client == "app"


def test_a_token_is_checked_once_and_remembered_until_it_expires() -> None:
    tokens, made = Tokens.of(HMAC), token()
    first = tokens.read(made, NOW)
    tokens.keys = []
    assert tokens.read(made, NOW + 89) is first
    assert refused(tokens, made, NOW + 90) == "the token has expired"
    assert refused(tokens, made, NOW + 90) == "the token's key is not known"  # it was forgotten


def test_what_is_remembered_is_bounded() -> None:
    tokens = Tokens.of(HMAC)
    tokens._known = {str(n): Bearer("x", Terms(), NOW) for n in range(MOST_KNOWN)}
    tokens.read(token(), NOW)
    assert len(tokens._known) == MOST_KNOWN


def test_with_new_keys_what_the_old_ones_signed_is_forgotten() -> None:
    tokens, made = Tokens.of(PUBLIC), token(ED, "Ed25519")
    tokens.read(made, NOW)
    before = tokens.version
    tokens.use(jwks(EC))
    assert tokens.version > before
    assert (refused(tokens, made), tokens.misses) == ("the token's key is not known", 1)


def test_before_the_keys_are_fetched_nothing_is_believed() -> None:
    assert refused(Tokens(PUBLIC), token(ED, "Ed25519")) == "the keys to check tokens with are not here yet"


@pytest.mark.parametrize(
    "text", ["", "{}", "5", '{"keys":[5]}', '{"keys":[{"kty":"OKP"}]}', '{"keys":[{"kty":"new"}]}']
)
def test_a_set_of_keys_that_cannot_be_read_changes_nothing(text: str) -> None:
    tokens = Tokens.of(PUBLIC)
    with pytest.raises(TokenRefused, match="cannot be read"):
        tokens.use(text)
    assert tokens.read(token(ED, "Ed25519"), NOW)


def test_the_largest_number_is_a_moment_too() -> None:
    assert Tokens.of(HMAC).read(token(exp=10**400), NOW).until > NOW


@given(st.text(alphabet=st.characters(codec="latin-1")))
def test_any_text_is_refused_in_words(text: str) -> None:
    assert refused(Tokens.of(HMAC), text)
    assert refused(Tokens.of(HMAC), f"{segment({'alg': 'HS256'})}.{text}.x")


def test_the_secret_is_nowhere_in_what_is_shown() -> None:
    assert SECRET not in repr(Tokens.of(HMAC).policy)
    assert OCT.key_type == "oct"


def test_a_key_that_has_no_name_fits_tokens_that_name_theirs() -> None:
    """A secret has none, and libraries that sign with one may write a name nevertheless."""
    assert Tokens.of(HMAC).read(token(head={"kid": "2027"}), NOW).client == "alice"
    unnamed = json.dumps(
        {"keys": [{name: value for name, value in ED.as_dict(private=False).items() if name != "kid"}]}
    )
    assert Tokens.of(JwtPolicy(("EdDSA",), jwks=unnamed)).read(token(ED, "Ed25519"), NOW).client == "alice"


def test_keys_of_a_set_that_are_not_for_us_do_not_spoil_it() -> None:
    others = [{"kty": "OKP"}, {"kty": "AKP", "kid": "ed"}, {"kty": ["EC"]}, ED.as_dict(private=False) | {"use": "enc"}]
    mixed = json.dumps({"keys": [*others, ED.as_dict(private=False)]})
    tokens = Tokens.of(JwtPolicy(("EdDSA",), jwks=mixed))
    assert tokens.read(token(ED, "Ed25519", {"kid": None}), NOW).client == "alice"


def test_a_file_whose_keys_are_of_no_use_lets_nobody_in_and_is_no_accident() -> None:
    tokens = Tokens.of(JwtPolicy(("EdDSA",), jwks='{"keys":[{"kty":"OKP"}]}'))
    assert refused(tokens, token(ED, "Ed25519")) == "the token's key is not known"


def test_the_same_keys_fetched_again_change_nothing() -> None:
    """Whoever shows tokens of unknown keys makes us fetch; that must not cost everybody else's tokens a new check."""
    tokens, made = Tokens.of(PUBLIC), token(ED, "Ed25519")
    first, version = tokens.read(made, NOW), tokens.version
    tokens.use(json.dumps(json.loads(jwks()), indent=1))
    assert (tokens.read(made, NOW) is first, tokens.version) == (True, version)
