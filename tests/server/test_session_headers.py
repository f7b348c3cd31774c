from __future__ import annotations

import pytest

from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.server.session_headers import min_block, session_name


def test_nothing_given_is_nothing_asked_for() -> None:
    assert [session_name(None), session_name(""), min_block(None), min_block("")] == [None] * 4


@pytest.mark.parametrize("name", ["a", "0f8b-4c1e:tab/2", "x" * 64])
def test_a_sessions_name_is_up_to_64_visible_characters(name: str) -> None:
    assert session_name(name) == name


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("1000", 1000), ("0x3e8", 1000), ("0X3E8", 1000), ("0x00", 0)])
def test_a_block_is_a_number_in_hex_or_decimal(text: str, number: int) -> None:
    assert min_block(text) == number


@pytest.mark.parametrize("name", ["x" * 65, "two words", "naïve", "line\nbreak"])
def test_a_name_that_cannot_be_kept_is_refused(name: str) -> None:
    with pytest.raises(RpcError, match="X-Lasso-Session must be 1 to 64") as refused:
        session_name(name)
    assert (refused.value.code, refused.value.status) == (-32602, 400)


@pytest.mark.parametrize("text", ["latest", "-1", "0x", "3e8", "1.5", "1_000", "0x" + "1" * 17, "٣", "1" * 20])
def test_a_block_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(RpcError, match="X-Lasso-Min-Block must be a block number") as refused:
        min_block(text)
    assert (refused.value.code, refused.value.status) == (-32602, 400)
