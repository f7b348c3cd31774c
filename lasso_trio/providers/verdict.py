"""What can be wrong with an answer, and what follows from it: the words of the error catalogue.

Two vocabularies. A `Category` is the name that profiles (`error_rules`), logs and metrics use. An `ErrorClass` decides:
whether another provider is asked, what the breaker hears, whether the channel is left alone for a while, and what may
be learned. Every category has one class; a row of the catalogue may name another (a transaction that is already in is
an `execution_revert` by its category, and no revert). Values only; which error belongs where is for the data file.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

import attrs


class Category(StrEnum):
    """Whose fault it was. The names appear in profiles (`error_rules`), logs and metrics."""

    RATE_LIMIT = "rate_limit"
    NETWORK_ERROR = "network_error"
    SERVER_ERROR = "server_error"
    AUTH_ERROR = "auth_error"
    INTERNAL_ERROR = "internal_error"
    TIMEOUT = "timeout"
    PROVIDER_ERROR = "provider_error"
    CHAIN_ERROR = "chain_error"
    METHOD_ERROR = "method_error"
    CAPABILITY_VIOLATION = "capability_violation"
    REQUIRES_ARCHIVAL = "requires_archival"
    BLOCK_NOT_AVAILABLE = "block_not_available"
    METHOD_NOT_FOUND = "method_not_found"
    INVALID_REQUEST = "invalid_request"
    INVALID_PARAMS = "invalid_params"
    PARSE_ERROR = "parse_error"
    USER_ERROR = "user_error"
    CLIENT_ERROR = "client_error"
    EXECUTION_REVERT = "execution_revert"
    UNCLASSIFIED_SERVER_ERROR = "unclassified_server_error"
    UNKNOWN_ERROR = "unknown_error"
    LOCAL_CAPACITY = "local_capacity"
    """Our own limits were met; the provider was not asked."""


class ErrorClass(StrEnum):
    """What happened. The data file's `class`."""

    REVERT = "revert"
    CLIENT_FAULT = "client_fault"
    TRANSACTION_KNOWN = "transaction_known"
    TRANSACTION_REFUSED = "transaction_refused"
    MISSING = "missing"
    PRUNED = "pruned"
    CAPABILITY = "capability"
    SPLIT = "split"
    RATE_LIMIT = "rate_limit"
    QUOTA = "quota"
    AUTH = "auth"
    SERVER = "server"
    TIMEOUT = "timeout"
    TRANSPORT = "transport"
    UNCLASSIFIED = "unclassified"
    UNKNOWN = "unknown"
    LOCAL = "local"


Kind = Literal["quota", "capability", "deterministic", "provider_failure"]
Failover = Literal["never", "always", "repeatable", "once"]
BreakerEffect = Literal["success", "neutral", "failure", "weighted", "quarantine"]
CooldownEffect = Literal["none", "hinted", "long"]
COUNTING: Final[frozenset[BreakerEffect]] = frozenset({"failure", "weighted", "quarantine"})
"""The effects by which a breaker may open."""
Learning = Literal["archive", "method", "range", "results", "size", "address_count", "topic_count", "suggested"]


@attrs.frozen
class Effect:
    """What a class decides, and what it means in a sentence."""

    meaning: str
    failover: Failover
    breaker: BreakerEffect
    cooldown: CooldownEffect = "none"
    learning: Learning | None = None


EFFECTS: Final = {
    ErrorClass.REVERT: Effect("the contract reverted: the chain's own answer", "never", "success"),
    ErrorClass.CLIENT_FAULT: Effect("the request is wrong, for anybody", "never", "neutral"),
    ErrorClass.TRANSACTION_KNOWN: Effect("the transaction is already in the pool or a block", "never", "success"),
    ErrorClass.TRANSACTION_REFUSED: Effect("the transaction is refused for a true reason", "never", "neutral"),
    ErrorClass.MISSING: Effect("data near the tip that this provider does not have yet", "always", "neutral"),
    ErrorClass.PRUNED: Effect(
        "data that this provider does not have any more", "always", "neutral", learning="archive"
    ),
    ErrorClass.CAPABILITY: Effect("a method, tag, parameter or plan that this provider lacks", "always", "neutral"),
    ErrorClass.SPLIT: Effect("range, result or body too large for this provider", "always", "neutral"),
    ErrorClass.RATE_LIMIT: Effect("too many requests for now", "always", "neutral", "hinted"),
    ErrorClass.QUOTA: Effect("the plan's volume is used up, or unpaid", "always", "neutral", "long"),
    ErrorClass.AUTH: Effect("key, allow-list or path refused", "repeatable", "quarantine"),
    ErrorClass.SERVER: Effect("node or gateway failed", "repeatable", "failure"),
    ErrorClass.TIMEOUT: Effect("no answer in time", "repeatable", "weighted"),
    ErrorClass.TRANSPORT: Effect("no proper answer arrived: TLS, reset, HTML, nothing", "repeatable", "failure"),
    ErrorClass.UNCLASSIFIED: Effect("-32000 with a text nobody has reported", "once", "neutral"),
    ErrorClass.UNKNOWN: Effect("a code nobody has reported", "never", "neutral"),
    ErrorClass.LOCAL: Effect("our own limits were met; the provider was not asked", "always", "neutral"),
}
"""What each class decides."""

_CLASS_OF: Final = {
    Category.RATE_LIMIT: ErrorClass.RATE_LIMIT,
    Category.NETWORK_ERROR: ErrorClass.TRANSPORT,
    Category.SERVER_ERROR: ErrorClass.SERVER,
    Category.AUTH_ERROR: ErrorClass.AUTH,
    Category.INTERNAL_ERROR: ErrorClass.SERVER,
    Category.TIMEOUT: ErrorClass.TIMEOUT,
    Category.PROVIDER_ERROR: ErrorClass.TRANSPORT,
    Category.CHAIN_ERROR: ErrorClass.SERVER,
    Category.METHOD_ERROR: ErrorClass.SERVER,
    Category.CAPABILITY_VIOLATION: ErrorClass.CAPABILITY,
    Category.REQUIRES_ARCHIVAL: ErrorClass.PRUNED,
    Category.BLOCK_NOT_AVAILABLE: ErrorClass.MISSING,
    Category.METHOD_NOT_FOUND: ErrorClass.CAPABILITY,
    Category.INVALID_REQUEST: ErrorClass.CLIENT_FAULT,
    Category.INVALID_PARAMS: ErrorClass.CLIENT_FAULT,
    Category.PARSE_ERROR: ErrorClass.CLIENT_FAULT,
    Category.USER_ERROR: ErrorClass.CLIENT_FAULT,
    Category.CLIENT_ERROR: ErrorClass.CLIENT_FAULT,
    Category.EXECUTION_REVERT: ErrorClass.REVERT,
    Category.UNCLASSIFIED_SERVER_ERROR: ErrorClass.UNCLASSIFIED,
    Category.UNKNOWN_ERROR: ErrorClass.UNKNOWN,
    Category.LOCAL_CAPACITY: ErrorClass.LOCAL,
}

_MISSING_METHOD: Final = frozenset({Category.METHOD_NOT_FOUND, Category.METHOD_ERROR})

CATEGORY_OF: Final = {
    ErrorClass.REVERT: Category.EXECUTION_REVERT,
    ErrorClass.CLIENT_FAULT: Category.CLIENT_ERROR,
    ErrorClass.TRANSACTION_KNOWN: Category.EXECUTION_REVERT,
    ErrorClass.TRANSACTION_REFUSED: Category.EXECUTION_REVERT,
    ErrorClass.MISSING: Category.BLOCK_NOT_AVAILABLE,
    ErrorClass.PRUNED: Category.REQUIRES_ARCHIVAL,
    ErrorClass.CAPABILITY: Category.CAPABILITY_VIOLATION,
    ErrorClass.SPLIT: Category.CAPABILITY_VIOLATION,
    ErrorClass.RATE_LIMIT: Category.RATE_LIMIT,
    ErrorClass.QUOTA: Category.RATE_LIMIT,
    ErrorClass.AUTH: Category.AUTH_ERROR,
    ErrorClass.SERVER: Category.SERVER_ERROR,
    ErrorClass.TIMEOUT: Category.TIMEOUT,
    ErrorClass.TRANSPORT: Category.PROVIDER_ERROR,
    ErrorClass.UNCLASSIFIED: Category.UNCLASSIFIED_SERVER_ERROR,
    ErrorClass.UNKNOWN: Category.UNKNOWN_ERROR,
    ErrorClass.LOCAL: Category.LOCAL_CAPACITY,
}
"""The category of a row that names none."""


@attrs.frozen
class Verdict:
    """What to do about a failure.

    `retriable`: another provider may do better. `counts`: a failure for the breaker. `kind`: `quota` and `capability`
    always go to the next candidate, `deterministic` goes back to the client, `provider_failure` goes to the next
    candidate only when the call may be repeated. These three follow from what the class says in full: `failover`
    (`repeatable`: only a call that may be repeated; `once`: such a call, and one other provider), `breaker`
    (`weighted`: half a failure for the ratio, the deadline may be to blame; `quarantine`: not used until somebody
    looked), `cooldown` (`hinted`: as told, else backing off; `long`: minutes to hours, an alert) and `learning`, what
    the text may teach. `row`: the catalogue's row that decided, empty where none did.
    """

    category: Category
    retriable: bool
    counts: bool
    kind: Kind
    error_class: ErrorClass = ErrorClass.UNKNOWN
    failover: Failover = "never"
    breaker: BreakerEffect = "neutral"
    cooldown: CooldownEffect = "none"
    learning: Learning | None = None
    row: str = ""


def verdict_of(
    category: Category, error_class: ErrorClass | None = None, learning: Learning | None = None, row: str = ""
) -> Verdict:
    """The verdict on a category; its own class and that class's lesson unless others are named."""
    decided = error_class or _CLASS_OF[category]
    effect = EFFECTS[decided]
    counts = effect.breaker in COUNTING
    return Verdict(
        category=category,
        retriable=effect.failover != "never",
        counts=counts,
        kind=_kind(decided, effect, counts),
        error_class=decided,
        failover=effect.failover,
        breaker=effect.breaker,
        cooldown=effect.cooldown,
        learning=learning or effect.learning or ("method" if category in _MISSING_METHOD else None),
        row=row,
    )


def _kind(decided: ErrorClass, effect: Effect, counts: bool) -> Kind:
    # Nobody knows whose fault an unknown code is: it does not count, and it is no good word of the provider either.
    if counts or decided is ErrorClass.UNKNOWN or effect.failover in ("repeatable", "once"):
        return "provider_failure"
    if effect.failover == "never":
        return "deterministic"
    return "capability" if effect.cooldown == "none" else "quota"


VERDICTS: Final = {category: verdict_of(category) for category in Category}
"""One shared verdict per category, for whoever knows the category without asking the catalogue."""
