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
    "6080604052348015600f57600080fd5b506040516104ba3803806104ba833981016040819052602c916033565b600055604b565b60006020"
    "8284031215604457600080fd5b5051919050565b6104608061005a6000396000f3fe6080604052600436106100555760003560e01c80632a"
    "3b79b21461005a5780632b66d72e1461007c5780633c599f401461008f5780634fd9efc4146100af57806380c9419e146100e2578063a285"
    "aed71461010f575b600080fd5b34801561006657600080fd5b5061007a6100753660046102bd565b610125565b005b61007a61008a366004"
    "6102bd565b61014a565b34801561009b57600080fd5b5061007a6100aa3660046102fe565b610191565b3480156100bb57600080fd5b5061"
    "00cf6100ca366004610349565b6101e5565b6040519081526020015b60405180910390f35b3480156100ee57600080fd5b506101026100fd"
    "366004610349565b61022b565b6040516100d99190610362565b34801561011b57600080fd5b506100cf60005481565b818160405162461b"
    "cd60e51b81526004016101419291906103a5565b60405180910390fd5b3460008082825461015b91906103ea565b90915550506000546040"
    "5133906000805160206104408339815191529061018590869086906103a5565b60405180910390a35050565b60015b8381116101df578033"
    "6001600160a01b031660008051602061044083398151915285856040516101c59291906103a5565b60405180910390a3806101d7816103fd"
    "565b915050610194565b50505050565b600080548211156102175760005460405163994fecf560e01b815261014191849160040191825260"
    "2082015260400190565b816000546102259190610416565b92915050565b6060816001600160401b0381111561024557610245610429565b"
    "60405190808252806020026020018201604052801561026e578160200160208202803683370190505b5092915050565b60008083601f8401"
    "1261028757600080fd5b5081356001600160401b0381111561029e57600080fd5b6020830191508360208285010111156102b657600080fd"
    "5b9250929050565b600080602083850312156102d057600080fd5b82356001600160401b038111156102e657600080fd5b6102f285828601"
    "610275565b90969095509350505050565b60008060006040848603121561031357600080fd5b8335925060208401356001600160401b0381"
    "111561033057600080fd5b61033c86828701610275565b9497909650939450505050565b60006020828403121561035b57600080fd5b5035"
    "919050565b602080825282518282018190526000918401906040840190835b8181101561039a578351835260209384019390920191600101"
    "61037c565b509095945050505050565b60208152816020820152818360408301376000818301604090810191909152601f909201601f1916"
    "0101919050565b634e487b7160e01b600052601160045260246000fd5b80820180821115610225576102256103d4565b6000600182016104"
    "0f5761040f6103d4565b5060010190565b81810381811115610225576102256103d4565b634e487b7160e01b600052604160045260246000"
    "fdfe301e53e15e76435e17105dd850449ba166cf4c46826c93a338cb73191b5a7420"
)
