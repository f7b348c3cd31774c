from __future__ import annotations

from lasso_trio.check.page import Page


def test_a_page_that_is_no_object_has_no_row() -> None:
    assert Page("u", 200, body=b'{"a": 1}').row == {"a": 1}
    assert Page("u", 200, body=b"[1]").row == {}
    assert Page("u", 200, body=b"<p>").row == {}
    assert Page("u", 200, body=b"[" * 100_000).row == {}


def test_what_a_page_said_is_its_status_or_why_there_is_none() -> None:
    assert Page("u", 502).said == "HTTP 502"
    assert Page("u", fault="refused").said == "refused"
    assert Page("u").said == "no answer"
    assert not Page("u").answered
