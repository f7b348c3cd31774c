"""Request ids: whose are kept, and what ours look like."""

from __future__ import annotations

import re

import pytest

from lasso_trio.server import request_id


def test_ids_made_here_are_hexadecimal_and_differ() -> None:
    ids = [request_id.made() for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(re.fullmatch(r"[0-9a-f]{20}", each) for each in ids)
    assert request_id.sane(ids[0]) == ids[0]


LINES = b"content-type: text/plain\r\nx-request-id: ours\r\nserver-timing: a\r\n"


def test_an_answers_id_is_read_from_its_lines() -> None:
    assert request_id.of_lines(LINES) == "ours"
    assert request_id.of_lines(b"content-type: text/plain\r\n") == ""


@pytest.mark.parametrize(
    ("given", "kept"),
    [([(b"x-request-id", b"theirs")], b"theirs"), ([(b"x-request-id", b"a b")], b"ours"), ([], b"ours")],
)
def test_after_an_accident_the_client_is_told_its_own_id_if_it_is_sane(
    given: list[tuple[bytes, bytes]], kept: bytes
) -> None:
    assert request_id.of_accident(given, LINES) == (kept.decode(), LINES.replace(b"ours", kept))


def test_an_answer_without_an_id_is_left_as_it_is() -> None:
    assert request_id.of_accident([(b"x-request-id", b"theirs")], b"a: b\r\n") == ("theirs", b"a: b\r\n")
    assert request_id.of_accident([], b"") == ("", b"")


@pytest.mark.parametrize("given", ["a", "A-z_0.9:/+=@", "x" * 200])
def test_sane_ones_are_kept(given: str) -> None:
    assert request_id.sane(given) == given


@pytest.mark.parametrize("given", ["", "x" * 201, "a b", "a\n", "a\r\nset-cookie: x", '"', "é", "a\x00"])
def test_what_might_break_a_header_or_a_log_line_is_not(given: str) -> None:
    assert request_id.sane(given) is None
