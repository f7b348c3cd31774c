from __future__ import annotations

import pytest

from lasso_trio.errors import LassoError
from lasso_trio.providers.classify import Category, verdict_for
from lasso_trio.subscriptions.feed import NotConnected, Refused


def test_a_refusal_carries_what_the_provider_said() -> None:
    refused = Refused(-32601, "no such subscription")
    assert (refused.code, refused.text, str(refused)) == (
        -32601,
        "no such subscription",
        "-32601: no such subscription",
    )


def test_both_failures_are_of_the_house() -> None:
    assert issubclass(NotConnected, LassoError)
    assert issubclass(Refused, LassoError)


@pytest.mark.parametrize(
    ("code", "text", "lasts"),
    [
        (-32601, "the method eth_subscribe does not exist", True),
        (-32602, "invalid argument 0", True),
        (-32000, "a text that nobody has reported", True),
        (-32005, "rate limit exceeded", False),
        (-32005, "daily request count exceeded", False),
        (-32603, "internal error", False),
    ],
)
def test_a_no_for_now_is_told_from_a_no_for_good(code: int, text: str, lasts: bool) -> None:
    assert Refused(code, text).lasts == lasts


def test_who_judged_already_is_believed() -> None:
    assert not Refused(-32601, "no such thing", verdict_for(Category.RATE_LIMIT)).lasts


@pytest.mark.parametrize(("hint_s", "found"), [(None, 3.0), (7.0, 7.0)])
def test_when_to_come_back_is_read_from_the_words_unless_it_is_known(hint_s: float | None, found: float) -> None:
    assert Refused(-32005, "rate limit, try again in 3 s", hint_s=hint_s).hint_s == found
