"""The world state: balances, code, storage and contract calls, each a plain function of an address and a block number.

Balances grow with the block, so a read pinned to a block differs from one at another: staleness can be seen.
"""

from __future__ import annotations

from typing import Final

from lasso_trio.devnet.blocks import REVERTER, TOKENS, digest, word
from lasso_trio.devnet.errors import NodeError

REVERT_REASON: Final = "devnet reverts on purpose"
_CODE: Final = "0x6080604052600080fd"


def balance(account: str, number: int) -> int:
    """In wei."""
    return 10**18 * (1 + digest("balance", account)[0]) + number * 10**9


def token_balance(token: str, account: str, number: int) -> int:
    return 10**18 * (1 + digest("token", token, account)[0]) + number


def code(account: str) -> str:
    return _CODE if account in TOKENS or account == REVERTER else "0x"


def storage(account: str, slot: int, number: int) -> str:
    if account not in TOKENS:
        return "0x" + word(0)
    return "0x" + digest("storage", account, slot, number).hex()


def call(to: str, data: str, number: int) -> str:
    """What a contract returns, as hex bytes; accounts without code return nothing. Raises `NodeError` on a revert."""
    if to == REVERTER:
        raise NodeError(3, f"execution reverted: {REVERT_REASON}", "0x08c379a0" + _abi_string(REVERT_REASON))
    if to not in TOKENS:
        return "0x"
    return "0x" + _token_call(to, data[2:10], data[10:], number)


def _token_call(token: str, selector: str, arguments: str, number: int) -> str:
    match selector:
        case "70a08231":  # balanceOf(address)
            return word(token_balance(token, "0x" + arguments[24:64], number))
        case "18160ddd":  # totalSupply()
            return word(10**27)
        case "313ce567":  # decimals()
            return word(18)
        case "95d89b41":  # symbol()
            return _abi_string(f"DEV{TOKENS.index(token)}")
        case "06fdde03":  # name()
            return _abi_string(f"Devnet token {TOKENS.index(token)}")
        case _:
            return digest("call", token, selector, arguments, number).hex()


def _abi_string(text: str) -> str:
    raw = text.encode()
    return word(32) + word(len(raw)) + raw.hex().ljust(-(-len(raw) // 32) * 64, "0")
