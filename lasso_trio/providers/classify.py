"""What an upstream's failure means: whose fault it is, whether another provider may do better, whether it counts.

One function for every path, so that the breaker, the cooldown and the client are told the same story. What it looks at,
first hit wins:

    1  the provider's own `error_rules`
    2  HTTP 401, 402, 403, 413, 429: the gateway spoke, whatever the body says
    3  no JSON-RPC error in the body: a rate limit by its text, else the HTTP status
    4  revert data (`Error(string)`, `Panic(uint256)`): the chain spoke, whatever code and text say
    5  texts that quote what others wrote (a contract's revert reason, the client's own arguments): judged by how they
       begin, because else a contract could throttle or break a provider by reverting with "rate limit"
    6  codes -32700, -32601 and -32600 with a message, and 3
    7  message fragments, group by group; gas before the provider's own limits
    8  the code; an unknown one with HTTP 5xx is a server error

Pure and without state; the facts are in `catalogue`.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from lasso_trio.config.profile import ErrorRule
from lasso_trio.providers.catalogue import BEGINNINGS, CODES, GROUPS, UNLESS, VERDICTS, Category, Kind, Verdict

__all__ = ["Category", "Kind", "Verdict", "classify", "classify_fault", "verdict_for"]

MAX_MESSAGE_CHARS: Final = 2048

_REVERT_TEXT = re.compile(r"0x(?:08c379a0|4e487b71)|reverted 0x", re.IGNORECASE)
_REVERT_JSON = re.compile(
    rb'\s*(?:\{[^{}]{0,256}?"data"\s*:\s*)?"(?:0x(?:08c379a0|4e487b71)|reverted 0x)', re.IGNORECASE
)

_BY_STATUS: Final = {
    401: Category.AUTH_ERROR,
    402: Category.RATE_LIMIT,  # unpaid or used up: elsewhere it works, and the node is not ill
    403: Category.AUTH_ERROR,
    413: Category.CAPABILITY_VIOLATION,
    429: Category.RATE_LIMIT,
}
# What arrived was no HTTP, or broke its rules: the provider answered, wrongly. An answer beyond our cap would be too
# big from anybody, so nobody else is asked and nobody is blamed.
_FAULTS: Final = {
    "not_http": Category.PROVIDER_ERROR,
    "framing": Category.PROVIDER_ERROR,
    "chunk": Category.PROVIDER_ERROR,
    "encoding": Category.PROVIDER_ERROR,
    "head": Category.PROVIDER_ERROR,
    "body": Category.CLIENT_ERROR,
}
_ANY: Final = frozenset(Category)
_RATE_LIMIT_ONLY: Final = frozenset({Category.RATE_LIMIT})
# Some put everything under a few codes: Alchemy refuses keys and ranges with -32600, and says "unknown block" with 3.
_DESPITE_CODE: Final[Mapping[int, frozenset[Category]]] = {
    -32700: frozenset(),
    -32601: frozenset(),
    -32600: frozenset({Category.AUTH_ERROR, Category.CAPABILITY_VIOLATION}),
    3: frozenset({Category.BLOCK_NOT_AVAILABLE}),
}


class Fault(Protocol):
    """What `classify_fault` needs to know of an `UpstreamFault`."""

    @property
    def local(self) -> bool: ...
    @property
    def reason(self) -> str: ...


def classify(status: int, code: int | None, message: str, data: object, rules: Sequence[ErrorRule] = ()) -> Verdict:
    """Judge an error answer.

    `status`: HTTP status, 200 where there is none (WebSocket). `code`, `message`, `data`: of the JSON-RPC error object;
    `code` None when the body holds none, `message` then being the start of the body. `data`: decoded (str, mapping) or
    raw JSON (bytes, `msgspec.Raw`). Never raises.
    """
    text = message[:MAX_MESSAGE_CHARS].lower()
    return VERDICTS[
        _by_rules(status if code is None else code, text, rules)
        or _BY_STATUS.get(status)
        or (_without_body(status, text) if code is None else _by_body(status, code, text, data))
    ]


def verdict_for(category: Category) -> Verdict:
    """The verdict where the category is known without asking: a deadline met, a broken reply."""
    return VERDICTS[category]


def classify_fault(fault: Fault) -> Verdict:
    """Judge a transport failure. Whether it may be tried again also depends on `dispatched`: that is for the caller."""
    if fault.local:
        return VERDICTS[Category.LOCAL_CAPACITY]
    return VERDICTS[_FAULTS.get(fault.reason, Category.NETWORK_ERROR)]


def _by_rules(code: int, text: str, rules: Sequence[ErrorRule]) -> Category | None:
    for rule in rules:
        if rule.code is not None and rule.code != code:
            continue
        wanted = rule.message_contains
        if any(fragment.lower() in text for fragment in wanted) or (not wanted and rule.code is not None):
            return _named(rule.category)
    return None


def _named(name: str) -> Category:
    try:
        return Category(name)
    except ValueError:  # the loader refuses such a profile; a rule from elsewhere must not raise here
        return Category.UNKNOWN_ERROR


def _without_body(status: int, text: str) -> Category:
    if hit := _by_fragments(text, _RATE_LIMIT_ONLY):
        return hit
    return Category.SERVER_ERROR if status >= 400 else Category.PROVIDER_ERROR


def _by_body(status: int, code: int, text: str, data: object) -> Category:
    if _is_revert(data):
        return Category.EXECUTION_REVERT
    for beginning, category in BEGINNINGS:
        if text.startswith(beginning):
            return category
    despite = _DESPITE_CODE.get(code) if text else None
    return _by_fragments(text, _ANY if despite is None else despite) or _by_code(status, code)


def _is_revert(data: object) -> bool:
    if isinstance(data, Mapping):
        data = data.get("data")
    if isinstance(data, str):
        return _REVERT_TEXT.match(data) is not None
    if isinstance(data, bytes | bytearray | memoryview | msgspec.Raw):
        return _REVERT_JSON.match(data) is not None
    return False


def _by_fragments(text: str, wanted: Container[Category]) -> Category | None:
    for category, fragments in GROUPS:
        if category in wanted:
            for fragment in fragments:
                if fragment in text and not (fragment in UNLESS and UNLESS[fragment] in text):
                    return category
    return None


def _by_code(status: int, code: int) -> Category:
    if known := CODES.get(code):
        return known
    if -32099 <= code <= -32001 or 500 <= code <= 599:
        return Category.SERVER_ERROR
    if 400 <= code <= 499:
        return Category.CLIENT_ERROR
    return Category.SERVER_ERROR if status >= 500 else Category.UNKNOWN_ERROR
