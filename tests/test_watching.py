"""A change of a file is noticed, also when the file is exchanged."""

from __future__ import annotations

import os
from pathlib import Path

import trio

from lasso_trio.watching import watch


async def test_a_change_is_told_and_an_exchange_of_the_file_as_well(tmp_path: Path, nursery: trio.Nursery) -> None:
    file, changes = tmp_path / "public.yml", 0
    file.write_text("a")
    seen = trio.Event()

    def changed() -> None:
        nonlocal changes
        changes += 1
        seen.set()

    nursery.start_soon(watch, tmp_path, changed)
    with trio.fail_after(20):
        while not seen.is_set():  # the watch begins some time after its start
            file.write_text("b")
            await trio.sleep(0.05)
        await trio.sleep(0.5)
        seen = trio.Event()
        (tmp_path / ".new").write_text("c")
        os.replace(tmp_path / ".new", file)
        await seen.wait()
    assert changes >= 2
    nursery.cancel_scope.cancel()
