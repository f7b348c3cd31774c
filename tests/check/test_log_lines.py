from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lasso_trio.check import log_lines
from lasso_trio.check.log_lines import judge_lines, read_log
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


def test_a_log_may_come_by_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(lines(READY)[0])))
    assert read_log("-", "").started
