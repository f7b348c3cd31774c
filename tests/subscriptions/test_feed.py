from __future__ import annotations

from lasso_trio.errors import LassoError
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
