from __future__ import annotations

from pathlib import Path

from lasso_trio.config.dump import dump_profile
from lasso_trio.config.loader import load_profile_text

CHAINS = "chains: {c: {chain_id: 1, providers: [{id: a, url: 'http://a'}]}}\n"
KEY = f"sha256:{'0f' * 32}"
FULL = f"""auth:
  keys:
    - {{id: a, hash: "{KEY}", rps: 5, burst: 9, methods: {{deny: [eth_send*]}}, chains: [c], expires: 2027-01-31}}
    - {{id: b, hash: "{KEY}", disabled: true}}
cors: {{origins: ["https://*.a.example"]}}
methods: [eth_*]
networks: [10.0.0.0/8, "2001:db8::/32"]
{CHAINS}"""


def test_what_is_dumped_is_read_again_as_the_same() -> None:
    profile = load_profile_text(FULL, "<t>", {})
    assert load_profile_text(dump_profile(profile), "<t>", {}) == profile


def test_an_open_profile_stays_open() -> None:
    assert load_profile_text(dump_profile(load_profile_text(CHAINS, "<t>", {})), "<t>", {}).access.is_open


def test_keys_of_a_file_are_dumped_with_the_others(tmp_path: Path) -> None:
    (tmp_path / "_keys.yml").write_text(f'keys: [{{id: filed, hash: "{KEY}"}}]')
    profile = load_profile_text("auth: {keys_file: _keys.yml}\n" + CHAINS, str(tmp_path / "public.yml"), {})
    text = dump_profile(profile)
    assert "id: filed" in text
    assert load_profile_text(text, profile.source, {}).access == profile.access


def test_the_secret_of_tokens_is_masked_and_what_is_known_of_them_is_told() -> None:
    secret = "s" * 32
    text = dump_profile(load_profile_text(f"auth: {{jwt: {{secret: {secret}, issuer: me}}}}\n" + CHAINS, "<t>", {}))
    assert secret not in text
    assert "issuer: me" in text
    assert "algorithms: [HS256]" in text


def test_a_url_of_keys_is_cut_down_to_its_origin() -> None:
    text = dump_profile(load_profile_text("auth: {jwt: {jwks_url: 'https://id.example/k?s=1'}}\n" + CHAINS, "<t>", {}))
    assert "jwks_url: https://id.example/***" in text or 'jwks_url: "https://id.example/***"' in text
