from __future__ import annotations

import pytest

from lasso_trio.devnet import state
from lasso_trio.devnet.blocks import ACCOUNTS, REVERTER, TOKENS, word
from lasso_trio.devnet.errors import NodeError


def test_a_balance_differs_from_block_to_block() -> None:
    assert state.balance(ACCOUNTS[0], 5) != state.balance(ACCOUNTS[0], 6)
    assert state.balance(ACCOUNTS[0], 5) == state.balance(ACCOUNTS[0], 5)


def test_a_token_tells_balances_and_its_symbol() -> None:
    asked = "0x70a08231" + word(ACCOUNTS[1])
    assert int(state.call(TOKENS[0], asked, 9), 16) == state.token_balance(TOKENS[0], ACCOUNTS[1], 9)
    assert bytes.fromhex(state.call(TOKENS[2], "0x95d89b41", 9)[2 + 128 :]).rstrip(b"\0") == b"DEV2"


def test_an_unknown_selector_gets_one_deterministic_word() -> None:
    assert state.call(TOKENS[0], "0x12345678", 9) == state.call(TOKENS[0], "0x12345678", 9)
    assert len(state.call(TOKENS[0], "0x12345678", 9)) == 66


def test_accounts_without_code_return_nothing() -> None:
    assert state.call(ACCOUNTS[0], "0x12345678", 9) == "0x"
    assert state.code(ACCOUNTS[0]) == "0x" != state.code(TOKENS[0])
    assert int(state.storage(ACCOUNTS[0], 0, 9), 16) == 0 != int(state.storage(TOKENS[0], 0, 9), 16)


def test_the_reverter_reverts_with_an_abi_encoded_reason() -> None:
    with pytest.raises(NodeError, match="execution reverted") as revert:
        state.call(REVERTER, "0x12345678", 9)
    assert revert.value.code == 3
    assert revert.value.data.startswith("0x08c379a0")
    assert state.REVERT_REASON.encode().hex() in revert.value.data
