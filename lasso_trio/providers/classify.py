"""What an upstream's failure means: whose fault it is, whether another provider may do better, whether it counts.

One function for every path, so that the breaker, the cooldown and the client are told the same story. What it looks at,
first hit wins; all but the first are sections of the catalogue:

    1  the provider's own `error_rules`
    2  `status`      HTTP 401, 402, 403, 413, 429: the gateway spoke, whatever the body says
    3  `last`        no JSON-RPC error in the body: a rate limit or a quota by its text, else the HTTP status
    4  `data`        revert data (`Error(string)`, `Panic(uint256)`): the chain spoke, whatever code and text say
    5  `beginning`   texts that quote what others wrote (a contract's revert reason, the client's own arguments): judged
                     by how they begin, because else a contract could throttle or break a provider by reverting with
                     "rate limit"
    6  `firm_code`   codes -32700, -32601, -32600 and 3, but for the texts they heed
    7  `text`        fragments, row by row; gas before the provider's own limits
    8  `code`        an unknown one with HTTP 5xx is judged by `last`

Pure but for which catalogue is in force.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, Protocol

import msgspec

from lasso_trio.config.profile import ErrorRule
from lasso_trio.providers.catalogue import SENDS, Catalogue, Rule, current
from lasso_trio.providers.verdict import VERDICTS, Category, ErrorClass, Kind, Verdict

__all__ = ["Category", "ErrorClass", "Kind", "Verdict", "classify", "classify_fault", "verdict_for"]

MAX_MESSAGE_CHARS: Final = 2048
REMEMBERED_CHARS: Final = 256
"""Longer texts hold arguments and never come twice."""

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
_HEEDED_WITHOUT_BODY: Final = frozenset({ErrorClass.RATE_LIMIT, ErrorClass.QUOTA})
"""A page that a gateway made says many things; of those, only these are believed."""


class Fault(Protocol):
    """What `classify_fault` needs to know of an `UpstreamFault`."""

    @property
    def local(self) -> bool: ...
    @property
    def reason(self) -> str: ...


def classify(
    status: int,
    code: int | None,
    message: str,
    data: object,
    rules: Sequence[ErrorRule] = (),
    method: str | None = None,
) -> Verdict:
    """Judge an error answer.

    `status`: HTTP status, 200 where there is none (WebSocket). `code`, `message`, `data`: of the JSON-RPC error object;
    `code` None when the body holds none, `message` then being the start of the body. `data`: decoded (str, mapping) or
    raw JSON (bytes, `msgspec.Raw`). `method`: what was called, where it is known: some texts mean another thing when a
    transaction is sent. Never raises.
    """
    text = message[:MAX_MESSAGE_CHARS].lower()
    if rules and (own := _by_rules(status if code is None else code, text, rules)):
        return VERDICTS[own]
    catalogue = current()
    if (at := catalogue.statuses.get(status)) and (verdict := _by_status(at, code, text, method)):
        return verdict
    if code is None:
        return _without_body(catalogue, status, text, method)
    return _by_body(catalogue, status, code, text, data, method)


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


def _by_status(rules: Sequence[Rule], code: int | None, text: str, method: str | None) -> Verdict | None:
    for rule in rules:
        if rule.texts and not any(fragment in text for fragment in rule.texts):
            continue
        if verdict := rule.judge(code, text, method in SENDS):
            return verdict
    return None


def _without_body(catalogue: Catalogue, status: int, text: str, method: str | None) -> Verdict:
    found = _by_fragments(catalogue, None, text, method, _HEEDED_WITHOUT_BODY)
    return found or _by_last(catalogue, status) or VERDICTS[Category.PROVIDER_ERROR]


def _by_body(catalogue: Catalogue, status: int, code: int, text: str, data: object, method: str | None) -> Verdict:
    if data is not None and _is_revert(catalogue, data):
        return catalogue.data_rule.verdict
    for beginning, rule in catalogue.beginnings:
        if text.startswith(beginning) and (verdict := rule.judge(code, text, method in SENDS)):
            return verdict
    if firm := catalogue.firm_codes.get(code):
        heeded = _by_fragments(catalogue, code, text, method, firm.heeds) if firm.heeds else None
        return heeded or firm.verdict
    return _by_fragments(catalogue, code, text, method, None) or _by_code(catalogue, status, code)


def _is_revert(catalogue: Catalogue, data: object) -> bool:
    if isinstance(data, Mapping):
        data = data.get("data")
    if isinstance(data, str):
        return catalogue.data.match(data) is not None
    if isinstance(data, bytes | bytearray | memoryview | msgspec.Raw):
        return catalogue.raw_data.match(data) is not None
    return False


def _by_fragments(
    catalogue: Catalogue, code: int | None, text: str, method: str | None, heeded: frozenset[ErrorClass] | None
) -> Verdict | None:
    sending = method in SENDS
    if len(text) > REMEMBERED_CHARS:
        return _search.__wrapped__(catalogue, code, text, sending, heeded)
    return _search(catalogue, code, text, sending, heeded)


@lru_cache(maxsize=512)
def _search(
    catalogue: Catalogue, code: int | None, text: str, sending: bool, heeded: frozenset[ErrorClass] | None
) -> Verdict | None:
    """The first row that fits, of those whose class is `heeded` (None: any). Nodes say the same words all day."""
    for fragment, rule in catalogue.fragments:
        if fragment in text and (heeded is None or rule.verdict.error_class in heeded):
            verdict = rule.judge(code, text, sending)
            if verdict is not None:
                return verdict
    return None


def _by_code(catalogue: Catalogue, status: int, code: int) -> Verdict:
    if known := catalogue.codes.get(code):
        return known.verdict
    for lowest, highest, rule in catalogue.code_ranges:
        if lowest <= code <= highest:
            return rule.verdict
    return (_by_last(catalogue, status) if status >= 500 else None) or VERDICTS[Category.UNKNOWN_ERROR]


def _by_last(catalogue: Catalogue, status: int) -> Verdict | None:
    for lowest, highest, rule in catalogue.last:
        if lowest <= status <= highest:
            return rule.verdict
    return None
