from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.check import log_lines
from lasso_trio.check.log_lines import Ends, judge_lines, read_log
from tests.check.conftest import CALL

LOADED = {"event": "Loaded profile: public", "level": "info"}
READY = {"event": "node.ready", "level": "info"}
CRASH = {"event": "child.crashed", "level": "error"}


def lines(*rows: object) -> list[bytes]:
    return [json.dumps(row).encode() for row in rows]


def test_what_a_log_tells_is_picked_from_its_lines() -> None:
    seen = judge_lines(
        [b"lasso demo: hello", b"{broken", b"[1]", b'{"a":' * 100_000, *lines(LOADED, READY, CALL, CRASH, CRASH)],
        "lasso-check",
    )
    assert (seen.lines, seen.loaded, seen.started, seen.errors) == (5, ("public",), True, 2)
    assert (seen.error_example, seen.is_ours) == ("child.crashed", True)
    assert seen.call == CALL


def test_a_prefix_before_the_json_does_not_matter() -> None:
    assert judge_lines([b"lasso-1  | " + lines(LOADED)[0]]).loaded == ("public",)


def test_our_own_call_is_taken_before_a_newer_one_and_one_without_a_provider_is_not() -> None:
    theirs = {**CALL, "request_id": "theirs"}
    local = {**CALL, "routing": {"selected_provider": None}}
    assert judge_lines(lines(CALL, theirs), "lasso-check").call == CALL
    assert judge_lines(lines(theirs, local), "lasso-check").call == theirs
    assert judge_lines(lines(local)).call is None
    assert not judge_lines(lines(CALL)).is_ours


def test_a_large_log_is_read_from_both_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_lines, "HEAD_BYTES", 100)
    monkeypatch.setattr(log_lines, "TAIL_BYTES", 1000)
    filler = lines(*({"event": "filler", "n": n} for n in range(500)))
    (tmp_path / "log").write_bytes(b"\n".join([*lines(LOADED), *filler, *lines(CALL)]))
    seen = read_log(str(tmp_path / "log"), "")
    assert seen.loaded == ("public",)
    assert seen.call == CALL
    assert seen.lines < 100


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """`stdin(data)`: what a program before us has written by now, and no more comes."""
    ours, theirs = os.pipe()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(fileno=lambda: ours))

    def write(data: bytes) -> None:
        with open(theirs, "wb") as pipe:
            pipe.write(data)

    yield write
    os.close(ours)


def test_a_log_may_come_by_stdin(stdin: Callable[[bytes], None]) -> None:
    stdin(lines(READY)[0])
    assert read_log("-", "").started


def test_of_a_long_stdin_the_newest_lines_are_kept(
    stdin: Callable[[bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_lines, "HEAD_BYTES", 100)
    monkeypatch.setattr(log_lines, "TAIL_BYTES", 1000)
    monkeypatch.setattr(log_lines, "PIECE_BYTES", 256)
    filler = lines(*({"event": "filler", "n": n} for n in range(500)))
    stdin(b"\n".join([*lines(LOADED), *filler, *lines(CRASH)]))
    seen = read_log("-", "")
    assert (seen.loaded, seen.errors) == (("public",), 1)
    assert seen.lines < 100


def test_where_stdin_is_closed_there_is_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(OSError, match="no standard input"):
        read_log("-", "")


@given(st.lists(st.binary(min_size=1, max_size=40)), st.integers(1, 60), st.integers(1, 60))
def test_both_ends_of_what_comes_in_pieces_are_kept(pieces: list[bytes], head: int, tail: int) -> None:
    ends, whole = Ends(head, tail), b"".join(pieces)
    for piece in pieces:
        ends.add(piece)
    assert ends.joined.startswith(whole[:head])
    assert ends.joined.endswith(whole[-tail:])
    assert len(ends.joined) <= head + tail + 41
    assert ends.joined == whole or len(whole) > head + tail
