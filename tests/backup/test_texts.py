from __future__ import annotations

from lasso_trio.backup.texts import documents


def test_profiles_that_can_be_read_are_read() -> None:
    files = {"a.yml": b"x: 1", "b.yaml": b"y: 2", "c.yml": b"no: [yaml", "d.txt": b"z: 3", "e.yml": b""}
    assert [name for name, _ in documents(files)] == ["a.yml", "b.yaml"]
