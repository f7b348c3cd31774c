from __future__ import annotations

from collections.abc import Callable
from math import inf

import pytest

from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.server.call_headers import bypasses_cache, deadline_s, hedge_s


def test_what_is_not_given_asks_for_nothing() -> None:
    for nothing in (None, ""):
        assert deadline_s(nothing) is None
        assert hedge_s(nothing) is None
        assert not bypasses_cache(nothing)


def test_times_are_milliseconds() -> None:
    assert deadline_s("1500") == 1.5
    assert hedge_s("20") == 0.02


@pytest.mark.parametrize("word", ["off", "OFF", "Off"])
def test_hedging_can_be_turned_off(word: str) -> None:
    assert hedge_s(word) == inf


def test_a_client_may_insist_on_a_providers_word() -> None:
    assert bypasses_cache("bypass")


@pytest.mark.parametrize("read", [deadline_s, hedge_s, bypasses_cache])
@pytest.mark.parametrize("value", ["0", "-5", "1.5", "600001", "9999999", "soon", " 5", "on"])
def test_what_cannot_be_read_is_refused_and_named(read: Callable[[str], object], value: str) -> None:
    with pytest.raises(RpcError, match=r"^X-(Request-Deadline-Ms|Lasso-(Hedge|Cache)) must be") as caught:
        read(value)
    assert (caught.value.status, caught.value.category) == (400, "invalid_header")
