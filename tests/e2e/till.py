"""The contract that the tests deploy and call. Compiled once with solc 0.8.37, evmVersion paris, optimiser with 1 run,
no metadata, from:

    // SPDX-License-Identifier: Apache-2.0
    pragma solidity ^0.8.20;

    contract Till {
        error Short(uint256 wanted, uint256 held);
        event Paid(address indexed payer, uint256 indexed number, string note);

        uint256 public held;

        constructor(uint256 first) { held = first; }

        function pay(string calldata note) external payable {
            held += msg.value;
            emit Paid(msg.sender, held, note);
        }

        function payOften(uint256 times, string calldata note) external {
            for (uint256 n = 1; n <= times; n++) emit Paid(msg.sender, n, note);
        }

        function take(uint256 wanted) external view returns (uint256) {
            if (wanted > held) revert Short(wanted, held);
            return held - wanted;
        }

        function refuse(string calldata why) external pure { revert(why); }

        function list(uint256 words) external pure returns (uint256[] memory found) {
            found = new uint256[](words);
        }
    }
"""

from __future__ import annotations

from typing import Any, Final


def _inputs(*typed: str) -> list[dict[str, Any]]:
    """From `uint256 n` to what the ABI's JSON says."""
    return [{"type": kind, "name": name} for kind, name in map(str.split, typed)]


def _function(name: str, *inputs: str, mutability: str = "view", gives: str = "") -> dict[str, Any]:
    outputs = [{"name": "", "type": gives}] if gives else []
    kind = {"type": "function", "name": name, "stateMutability": mutability}
    return kind | {"inputs": _inputs(*inputs), "outputs": outputs}


_PAID: Final = [
    {"name": "payer", "type": "address", "indexed": True},
    {"name": "number", "type": "uint256", "indexed": True},
    {"name": "note", "type": "string", "indexed": False},
]

ABI: Final[list[dict[str, Any]]] = [
    {"type": "constructor", "stateMutability": "nonpayable", "inputs": _inputs("uint256 first")},
    {"type": "error", "name": "Short", "inputs": _inputs("uint256 wanted", "uint256 held")},
    {"type": "event", "name": "Paid", "anonymous": False, "inputs": _PAID},
    _function("held", gives="uint256"),
    _function("list", "uint256 words", mutability="pure", gives="uint256[]"),
    _function("pay", "string note", mutability="payable"),
    _function("payOften", "uint256 times", "string note", mutability="nonpayable"),
    _function("refuse", "string why", mutability="pure"),
    _function("take", "uint256 wanted", gives="uint256"),
]

BYTECODE: Final = (
    "0x"
    "6080604052348015600f57600080fd5b50604051610499380380610499833981016040819052602c916033565b600055604b565b60006020"
    "8284031215604457600080fd5b5051919050565b61043f8061005a6000396000f3fe6080604052600436106100555760003560e01c80632a"
    "3b79b21461005a5780632b66d72e146100775780633c599f401461008a5780634fd9efc4146100aa57806380c9419e146100dd578063a285"
    "aed71461010a575b600080fd5b34801561006657600080fd5b5061007561005536600461029c565b005b61007561008536600461029c565b"
    "610120565b34801561009657600080fd5b506100756100a53660046102dd565b610167565b3480156100b657600080fd5b506100ca6100c5"
    "366004610328565b6101bb565b6040519081526020015b60405180910390f35b3480156100e957600080fd5b506100fd6100f83660046103"
    "28565b61020a565b6040516100d49190610341565b34801561011657600080fd5b506100ca60005481565b34600080828254610131919061"
    "039a565b9091555050600054604051339060008051602061041f8339815191529061015b90869086906103ad565b60405180910390a35050"
    "565b60015b8381116101b55780336001600160a01b031660008051602061041f833981519152858560405161019b9291906103ad565b6040"
    "5180910390a3806101ad816103dc565b91505061016a565b50505050565b600080548211156101f65760005460405163994fecf560e01b81"
    "526101ed918491600401918252602082015260400190565b60405180910390fd5b8160005461020491906103f5565b92915050565b606081"
    "6001600160401b0381111561022457610224610408565b60405190808252806020026020018201604052801561024d578160200160208202"
    "803683370190505b5092915050565b60008083601f84011261026657600080fd5b5081356001600160401b0381111561027d57600080fd5b"
    "60208301915083602082850101111561029557600080fd5b9250929050565b600080602083850312156102af57600080fd5b823560016001"
    "60401b038111156102c557600080fd5b6102d185828601610254565b90969095509350505050565b6000806000604084860312156102f257"
    "600080fd5b8335925060208401356001600160401b0381111561030f57600080fd5b61031b86828701610254565b94979096509394505050"
    "50565b60006020828403121561033a57600080fd5b5035919050565b602080825282518282018190526000918401906040840190835b8181"
    "101561037957835183526020938401939092019160010161035b565b509095945050505050565b634e487b7160e01b600052601160045260"
    "246000fd5b8082018082111561020457610204610384565b6020815281602082015281836040830137600081830160409081019190915260"
    "1f909201601f19160101919050565b6000600182016103ee576103ee610384565b5060010190565b81810381811115610204576102046103"
    "84565b634e487b7160e01b600052604160045260246000fdfe301e53e15e76435e17105dd850449ba166cf4c46826c93a338cb73191b5a74"
    "20"
)
