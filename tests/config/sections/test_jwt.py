from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lasso_trio.config.access import HMAC_ALGORITHMS, PUBLIC_KEY_ALGORITHMS, JwtPolicy
from lasso_trio.config.loader import load_profile_file
from lasso_trio.config.profile import Profile
from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.config.sections.jwt import jwks_problem
from lasso_trio.errors import ConfigError

CHAINS = "chains: {eth: {chain_id: 1, providers: [{id: a, url: 'http://a'}]}}\n"
SECRET = "x" * 32
JWKS = json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "1"}]})
Faults = Callable[..., list[str]]
Read = Callable[..., Profile]


def policy(profile: Profile) -> JwtPolicy:
    assert profile.access.auth is not None
    assert profile.access.auth.jwt is not None
    return profile.access.auth.jwt


def with_jwt(fields: str) -> str:
    return f"auth:\n  jwt: {{{fields}}}\n{CHAINS}"


def test_a_secret_is_for_hmac_and_is_kept_as_a_secret(read: Read) -> None:
    made = policy(read(with_jwt("secret: '${S}'"), {"S": SECRET}))
    assert made == JwtPolicy(("HS256",), Secret(SECRET))
    assert SECRET not in repr(made)


def test_a_url_is_for_public_keys(read: Read) -> None:
    text = (
        "jwks_url: 'https://id.example/keys', refresh_s: 60, issuer: me, audience: you, leeway_s: 0, client_claim: azp"
    )
    made = policy(read(with_jwt(text)))
    url = SecretUrl("https://id.example/keys")
    assert made == JwtPolicy(
        PUBLIC_KEY_ALGORITHMS, jwks_url=url, refresh_s=60, issuer="me", audience="you", leeway_s=0, client_claim="azp"
    )


def test_a_file_of_public_keys_is_read_with_the_profile(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(JWKS)
    (tmp_path / "mine.yml").write_text(with_jwt("jwks_file: keys.json, algorithms: [EdDSA]"))
    made = policy(load_profile_file(tmp_path / "mine.yml", {}))
    assert (made.jwks_file, made.jwks, made.algorithms) == ("keys.json", JWKS, ("EdDSA",))


@pytest.mark.parametrize("content", [None, b"\xff", b"{}"])
def test_a_file_that_holds_no_public_keys_is_a_problem(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "keys.json").write_bytes(content)
    (tmp_path / "mine.yml").write_text(with_jwt("jwks_file: keys.json"))
    with pytest.raises(ConfigError, match=r"mine.yml:2: 'jwks_file' .*keys.json' (cannot be read|is no JWK set)"):
        load_profile_file(tmp_path / "mine.yml", {})


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ("issuer: me", "2: 'jwt' needs exactly one of secret, jwks_file, jwks_url"),
        (f"secret: {SECRET}, jwks_url: 'https://a'", "2: 'jwt' needs exactly one of"),
        ("secret: short", "2: 'secret' must have at least 32 bytes"),
        (f"secret: {SECRET}, algorithms: []", "2: 'algorithms' must name one"),
        (f"secret: {SECRET}, isuer: me", "2: unknown key 'isuer' in jwt (did you mean 'issuer'?)"),
        ("jwks_url: 'ftp://a'", "2: 'jwks_url' must begin with http"),
        ("jwks_url: 'https://a', refresh_s: 1", "2: 'refresh_s' must be"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(faults: Faults, fields: str, problem: str) -> None:
    assert any(fault.startswith(problem) for fault in faults(with_jwt(fields)))


@pytest.mark.parametrize("algorithm", ["none", "None", *PUBLIC_KEY_ALGORITHMS])
def test_a_secret_never_goes_with_an_algorithm_for_public_keys(faults: Faults, algorithm: str) -> None:
    (fault,) = faults(with_jwt(f"secret: {SECRET}, algorithms: [{algorithm}]"))
    assert fault.startswith("2: 'algorithms' with this source of keys must be one of HS256")


@pytest.mark.parametrize("algorithm", ["none", *HMAC_ALGORITHMS])
def test_public_keys_never_go_with_an_hmac(faults: Faults, algorithm: str) -> None:
    (fault,) = faults(with_jwt(f"jwks_url: 'https://a', algorithms: [{algorithm}]"))
    assert fault.startswith("2: 'algorithms' with this source of keys must be one of EdDSA")


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ([{"kty": "OKP"}], None),
        ([], "holds no key"),
        ([{"kty": "oct", "k": "AAAA"}], "holds a secret key: only public ones belong here"),
        ([{"kty": "OKP"}, {"kty": "OKP", "d": "AAAA"}], "holds a secret key: only public ones belong here"),
        ([{}], "is no JWK set (RFC 7517)"),
        (5, "is no JWK set (RFC 7517)"),
    ],
)
def test_only_public_keys_are_a_set_of_them(keys: object, problem: str | None) -> None:
    assert jwks_problem(json.dumps({"keys": keys})) == problem


@pytest.mark.parametrize("text", ["", "[]", "5", "{}", "[" * 100_000])
def test_what_is_no_set_of_keys_is_said_and_nothing_is_raised(text: str) -> None:
    assert jwks_problem(text) == "is no JWK set (RFC 7517)"
