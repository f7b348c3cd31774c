from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.backup import manifest as manifests
from lasso_trio.backup.manifest import BadArchive, Manifest, describe

PROFILE = b"chains: {ethereum: {chain_id: 1, providers: [{id: a, url: 'https://a/${KEY}'}, {id: b, url: '${URL}'}]}}\n"


def made(**files: bytes) -> Manifest:
    return describe({f"{name}.yml": data for name, data in files.items()}, "2026-01-01T00:00:00+00:00", "1.2")


@given(st.dictionaries(st.from_regex(manifests.NAME), st.binary(max_size=100), max_size=5))
def test_what_is_described_is_read_back(files: dict[str, bytes]) -> None:
    described = describe(files, "now", "1")
    assert manifests.decode(manifests.encode(described)) == described
    for entry in described.files:
        manifests.check(entry, files[entry.name])


def test_variables_are_named_once_and_in_order_and_values_are_not_there() -> None:
    assert made(one=PROFILE, two=PROFILE).variables == ("KEY", "URL")


def test_only_profiles_are_searched_for_variables() -> None:
    assert describe({"keys.txt": b"${NOT}"}, "", "").variables == ()


@pytest.mark.parametrize("name", [".env", "../a.yml", "a/b.yml", "/etc/passwd", "", "a\nb.yml", "a" * 200])
def test_a_name_that_leads_elsewhere_is_never_archived(name: str) -> None:
    with pytest.raises(BadArchive, match="name"):
        describe({name: b""}, "", "")


def test_too_large_and_too_many_files_are_refused() -> None:
    with pytest.raises(BadArchive, match="larger"):
        made(one=b" " * (manifests.MOST_BYTES + 1))
    with pytest.raises(BadArchive, match="more than"):
        made(**{f"a{n}": b"" for n in range(manifests.MOST_FILES + 1)})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"format": 2}, "format is 2"),
        ({"files": [{"name": "../x", "size": 0, "sha256": "0" * 64}]}, "cannot be read"),
        ({"files": [{"name": "x", "size": -1, "sha256": "0" * 64}]}, "cannot be read"),
        ({"files": [{"name": "x", "size": 0, "sha256": "0" * 64}] * 2}, "twice"),
        ({"variables": None}, "cannot be read"),
    ],
)
def test_a_manifest_that_lies_is_refused(change: dict[str, object], complaint: str) -> None:
    shape = msgspec.json.decode(manifests.encode(made(one=PROFILE))) | change
    with pytest.raises(BadArchive, match=complaint):
        manifests.decode(msgspec.json.encode(shape))


def test_members_of_a_later_version_are_passed_over() -> None:
    described = made(one=PROFILE)
    shape = msgspec.json.decode(manifests.encode(described)) | {"later": 1}
    assert manifests.decode(msgspec.json.encode(shape)) == described


@pytest.mark.parametrize("data", [b"", PROFILE + b" ", PROFILE[:-1] + b" "])
def test_a_changed_file_is_noticed(data: bytes) -> None:
    with pytest.raises(BadArchive, match=r"one\.yml is not what was archived"):
        manifests.check(made(one=PROFILE).files[0], data)
