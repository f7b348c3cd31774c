from __future__ import annotations

import pytest

from lasso_trio.backup.literal_keys import literal_keys

KEY = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "url",
    [f"https://eth.example/v2/{KEY}", f"wss://eth.example/?apikey={KEY}", f"https://me:{KEY}@eth.example"],
)
def test_a_key_in_so_many_letters_is_found_with_its_line(url: str) -> None:
    assert list(literal_keys({"a.yml": f"chains:\n  x:\n    url: {url}\n".encode()})) == ["a.yml:3"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"auth:\n  jwt:\n    secret: {KEY}\n", 3),
        (f"providers:\n  - id: a\n    api_key: {KEY}\n", 3),
        (f"providers:\n  - headers:\n      Authorization: Bearer {KEY}\n      x-version: '2'\n", 3),
        (f"providers:\n  - auth_headers:\n      x-whatever: {KEY}\n", 3),
    ],
)
def test_keys_and_headers_are_keys_too(text: str, line: int) -> None:
    assert list(literal_keys({"a.yml": text.encode()})) == [f"a.yml:{line}"]


@pytest.mark.parametrize(
    "text",
    [
        "jwt: {secret: '${JWT_SECRET}'}",
        "headers: {accept: application/json}",
        "headers: {authorization: 'Bearer ${KEY}'}",
        "auth: {keys: [{id: app, hash: 'sha256:0123456789abcdef'}]}",
        "url: https://eth.example/v2/${KEY}",
        "url: https://ethereum-rpc.publicnode.com",
        f"name: {KEY}",
        f"url: ftp://eth.example/{KEY}",
        "url: https://",
        "not: [yaml",
    ],
)
def test_what_holds_none_is_left_alone(text: str) -> None:
    assert list(literal_keys({"a.yml": text.encode()})) == []


def test_only_profiles_are_looked_at() -> None:
    assert list(literal_keys({"a.txt": f"https://eth.example/v2/{KEY}".encode()})) == []
