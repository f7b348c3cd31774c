"""What a simulated node says when it refuses: one exception that becomes a JSON-RPC error object.

Codes and texts are geth's where it has one, because those are the texts that error classification meets.
"""

from __future__ import annotations

from typing import Final

from lasso_trio.devnet.json_types import Json, JsonObject

INVALID_PARAMS: Final = -32602
SERVER_ERROR: Final = -32000


class NodeError(Exception):
    """A JSON-RPC error answer: `code`, `message`, and `data` when given."""

    def __init__(self, code: int, message: str, data: Json = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def to_json(self) -> JsonObject:
        error: JsonObject = {"code": self.code, "message": self.message}
        return error if self.data is None else {**error, "data": self.data}


def invalid(position: int, what: str) -> NodeError:
    return NodeError(INVALID_PARAMS, f"invalid argument {position}: {what}")


def unknown_method(method: str) -> NodeError:
    return NodeError(-32601, f"the method {method} does not exist/is not available")
