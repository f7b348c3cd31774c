from __future__ import annotations

import pytest

from lasso_trio.backup.outside_files import outside_files


@pytest.mark.parametrize("path", ["../keys.yml", "/etc/lasso/keys.yml", "deeper/keys.yml", "gone.yml"])
def test_a_file_that_the_archive_lacks_is_named_with_its_line(path: str) -> None:
    text = f"auth:\n  keys_file: {path}\n"
    assert list(outside_files({"a.yml": text.encode()})) == [f"a.yml:2: {path}"]


@pytest.mark.parametrize("path", ["keys.txt", "./keys.txt"])
def test_a_file_beside_the_profile_is_in_it(path: str) -> None:
    text = f"auth: {{jwt: {{jwks_file: {path}}}}}"
    assert list(outside_files({"a.yml": text.encode(), "keys.txt": b""})) == []


def test_only_what_names_a_file_is_looked_at_and_only_in_what_can_be_read() -> None:
    files = {"a.yml": b"chains: [{url: '../x'}]", "b.yml": b"not: [yaml", "c.txt": b"keys_file: ../x"}
    assert list(outside_files(files)) == []
