"""Classification: the original's strongest assertions, every text of every group, and the traps the peers met."""

from __future__ import annotations

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.config.categories import ERROR_CATEGORIES
from lasso_trio.config.profile import ErrorRule
from lasso_trio.providers.catalogue import SHIPPED, VERDICTS, Rule, build, current, load, use
from lasso_trio.providers.classify import Category, classify, classify_fault, verdict_for

C = Category


def category_of(code: int | None, message: str = "", data: object = None, status: int = 200) -> Category:
    return classify(status, code, message, data).category


@pytest.mark.parametrize(
    ("code", "message", "data", "category"),
    [
        (-32000, "Too many requests", None, C.RATE_LIMIT),
        (-32000, "execution reverted: ERC20: transfer amount exceeds balance", None, C.EXECUTION_REVERT),
        (-32000, "rate limit", "0x08c379a0" + "00" * 32, C.EXECUTION_REVERT),
        (-32000, "rate limit", "0X08C379A0" + "00" * 32, C.EXECUTION_REVERT),
        (-32000, "rate limit", {"data": "0x4e487b71" + "00" * 32}, C.EXECUTION_REVERT),
        (-32601, "rate limit exceeded", None, C.METHOD_NOT_FOUND),
        (-32700, "try again", None, C.PARSE_ERROR),
        (-32602, "Unknown block number", None, C.BLOCK_NOT_AVAILABLE),
        (26, "Unknown block", None, C.BLOCK_NOT_AVAILABLE),
        (-32000, "unknown blockchain", None, C.UNCLASSIFIED_SERVER_ERROR),
        (-32000, "24578859 could not be found", None, C.BLOCK_NOT_AVAILABLE),
        (-32000, "the method could not be found", None, C.UNCLASSIFIED_SERVER_ERROR),
        (-32000, "something unheard of", None, C.UNCLASSIFIED_SERVER_ERROR),
        (-32005, "", None, C.RATE_LIMIT),
        (-32601, "", None, C.METHOD_NOT_FOUND),
        (12345, "?", None, C.UNKNOWN_ERROR),
    ],
)
def test_what_the_original_asserts(code: int, message: str, data: object, category: Category) -> None:
    assert category_of(code, message, data) is category


@pytest.mark.parametrize("code", [-32000, -32005, -32602, -32603, 429, 35])
@pytest.mark.parametrize(
    "message",
    [
        "gas limit exceeded",
        "Gas limit is exceeded",
        "exceeds block gas limit",
        "out of gas: gas required exceeds: rate limit",
        "tx: gas limit too high",
    ],
)
def test_gas_is_asked_before_any_limit_of_the_provider(code: int, message: str) -> None:
    assert category_of(code, message) is C.EXECUTION_REVERT


@pytest.mark.parametrize(
    "reason", ["rate limit", "unauthorized", "please retry", "forbidden", "upgrade your plan", "block not found"]
)
@pytest.mark.parametrize("before", ["execution reverted: ", "VM Exception while processing transaction: revert "])
def test_a_contract_cannot_throttle_or_break_a_provider_by_its_revert_reason(before: str, reason: str) -> None:
    assert category_of(-32000, before + reason) is C.EXECUTION_REVERT
    assert category_of(3, before + reason) is C.EXECUTION_REVERT


def test_a_client_cannot_throttle_a_provider_by_its_own_arguments() -> None:
    message = 'invalid argument 0: hex string without 0x prefix: "rate limit"'
    assert category_of(-32602, message) is C.INVALID_PARAMS
    assert category_of(-32601, "the method rate limit does not exist/is not available") is C.METHOD_NOT_FOUND


def test_code_three_is_a_revert_unless_the_block_is_missing() -> None:
    assert category_of(3, "custom error 0xdeadbeef: too many requests", "0xdeadbeef") is C.EXECUTION_REVERT
    assert category_of(3, "Unknown block") is C.BLOCK_NOT_AVAILABLE


@pytest.mark.parametrize(
    ("message", "category"),
    [
        ("Must be authenticated!", C.AUTH_ERROR),
        ("You can make eth_getLogs requests with up to a 500 block range. range is too large", C.CAPABILITY_VIOLATION),
        ("invalid json request", C.INVALID_REQUEST),
        ("Your app has exceeded its compute units per second capacity", C.RATE_LIMIT),
        ("You have exceeded your monthly quota", C.RATE_LIMIT),
        ("too many requests", C.RATE_LIMIT),
    ],
)
def test_invalid_request_also_carries_keys_ranges_rates_and_volumes(message: str, category: Category) -> None:
    assert category_of(-32600, message) is category


def test_a_volume_that_is_used_up_is_no_passing_rate_whatever_the_code() -> None:
    said = "Monthly capacity limit exceeded. Visit https://dashboard.alchemy.com/settings/billing to upgrade"
    assert {classify(200, code, said, None).cooldown for code in (-32600, -32000, 429)} == {"long"}


@pytest.mark.parametrize("code", [*range(-32521, -32499), *range(-38026, -38009)])
@pytest.mark.parametrize("message", ["AA23 reverted: rate limit", "paymaster is throttled", "too many blocks", "busy"])
def test_a_refused_operation_or_simulation_says_nothing_of_its_provider(code: int, message: str) -> None:
    verdict = classify(200, code, message, None, (), "eth_sendUserOperation")
    assert (verdict.error_class, verdict.breaker, verdict.cooldown) == ("client_fault", "neutral", "none")


@pytest.mark.parametrize("code", [12345, 0, -32100, -39000])
def test_a_code_that_nobody_has_reported_is_told_as_it_came_and_held_against_nobody(code: int) -> None:
    verdict = classify(200, code, "unheard of", None)
    assert (verdict.error_class, verdict.failover, verdict.counts) == ("unknown", "never", False)


@pytest.mark.parametrize(
    ("message", "category"),
    [
        ("range 20000 exceeds limit of 10000", C.CAPABILITY_VIOLATION),
        ("query block range exceeds server limit, narrow your filter", C.CAPABILITY_VIOLATION),
        ("credits limited to 500/sec", C.RATE_LIMIT),
        ("request exceeded the quota usage", C.RATE_LIMIT),
        ("missing trie node abc (path )", C.REQUIRES_ARCHIVAL),
    ],
)
def test_texts_the_peers_missed(message: str, category: Category) -> None:
    assert category_of(-32000, message) is category


ALL_FRAGMENTS = [(rule, fragment) for fragment, rule in current().fragments]


@pytest.mark.parametrize(("rule", "fragment"), ALL_FRAGMENTS, ids=[fragment for _, fragment in ALL_FRAGMENTS])
def test_every_fragment_is_found_in_any_case_and_anywhere_and_by_no_row_before_its_own(
    rule: Rule, fragment: str
) -> None:
    code = min(rule.codes) if rule.codes else -32000
    message = f"Error 7: {fragment.upper()} {' '.join(rule.also)} (see docs)"
    assert classify(200, code, message, None).row == rule.verdict.row


@pytest.mark.parametrize(("code", "row"), [(code, rule.verdict.row) for code, rule in current().codes.items()])
def test_every_known_code_without_a_text(code: int, row: str) -> None:
    assert classify(200, code, "", None).row == row


@pytest.mark.parametrize(
    ("code", "category"),
    [(-32040, C.SERVER_ERROR), (-32099, C.SERVER_ERROR), (-32100, C.UNKNOWN_ERROR), (400, C.CLIENT_ERROR),
     (499, C.CLIENT_ERROR), (500, C.SERVER_ERROR), (599, C.SERVER_ERROR), (600, C.UNKNOWN_ERROR), (0, C.UNKNOWN_ERROR)],
)  # fmt: skip
def test_ranges_of_codes(code: int, category: Category) -> None:
    assert category_of(code) is category


@pytest.mark.parametrize(
    ("status", "code", "message", "category"),
    [
        (429, None, "", C.RATE_LIMIT),
        (429, -32005, "limit", C.RATE_LIMIT),
        (429, -32601, "method not found", C.RATE_LIMIT),
        (401, -32000, "execution reverted", C.AUTH_ERROR),
        (402, None, "payment required", C.RATE_LIMIT),
        (403, None, "<html>Attention Required! try again</html>", C.PROVIDER_ERROR),
        (413, None, "", C.CAPABILITY_VIOLATION),
        (400, None, '{"message":"bad"}', C.SERVER_ERROR),
        (400, None, "", C.SERVER_ERROR),
        (404, None, "<html>not available, upgrade your browser</html>", C.AUTH_ERROR),
        (400, None, '{"error":"Too Many Requests"}', C.RATE_LIMIT),
        (502, None, "<html>bad gateway</html>", C.SERVER_ERROR),
        (503, None, "rate limit exceeded", C.RATE_LIMIT),
        (200, None, "<html>", C.PROVIDER_ERROR),
        (400, -32602, "invalid address", C.INVALID_PARAMS),
        (400, 3, "execution reverted", C.EXECUTION_REVERT),
        (500, -32000, "header not found", C.BLOCK_NOT_AVAILABLE),
        (500, -32000, "unheard of", C.UNCLASSIFIED_SERVER_ERROR),
        (500, 12345, "unheard of", C.SERVER_ERROR),
        (503, -32603, "", C.INTERNAL_ERROR),
    ],
)
def test_the_http_status_decides_first_for_gateways_and_last_for_the_rest(
    status: int, code: int | None, message: str, category: Category
) -> None:
    assert category_of(code, message, None, status) is category


@pytest.mark.parametrize(
    "data",
    [
        "0x08c379a0",
        "Reverted 0x08c379a0",
        {"data": "0x4E487B71ff"},
        b'"0x08c379a0ff"',
        b' { "data" : "0x4e487b71" }',
        b'{"code":3,"data":"Reverted 0x"}',
        msgspec.Raw(b'"0x08C379A0ff"'),
    ],
)
def test_revert_data_is_recognised_decoded_and_raw(data: object) -> None:
    assert category_of(-32000, "too many requests", data) is C.EXECUTION_REVERT


@pytest.mark.parametrize(
    "data", [None, "0x", "0xdeadbeef", "x0x08c379a0", {"data": 3}, {}, [], b"", b"null", b'{"a":1}', 7]
)
def test_other_data_is_left_to_code_and_text(data: object) -> None:
    assert category_of(-32000, "too many requests", data) is C.RATE_LIMIT


RULES = (
    ErrorRule("capability_violation", code=35, message_contains=("Ranges Over", "too wide")),
    ErrorRule("auth_error", code=-32000),
    ErrorRule("block_not_available", message_contains=("rate limit",)),
    ErrorRule("server_error", message_contains=("rate",)),
    ErrorRule("not a category", message_contains=("typo",)),
    ErrorRule("server_error"),
)


@pytest.mark.parametrize(
    ("status", "code", "message", "category"),
    [
        (200, 35, "RANGES OVER 10000 blocks", C.CAPABILITY_VIOLATION),
        (200, 30, "it is too wide", C.RATE_LIMIT),
        (200, -32000, "execution reverted", C.AUTH_ERROR),
        (200, 1, "rate limit", C.BLOCK_NOT_AVAILABLE),
        (429, 1, "rate", C.SERVER_ERROR),
        (200, 1, "typo", C.UNKNOWN_ERROR),
        (200, 4001, "nothing of it", C.USER_ERROR),
    ],
)
def test_the_providers_own_rules_come_first_and_the_first_of_them_wins(
    status: int, code: int, message: str, category: Category
) -> None:
    assert classify(status, code, message, None, RULES).category is category


def test_a_rule_may_name_the_status_of_an_answer_without_json_rpc() -> None:
    assert (
        classify(404, None, "", None, [ErrorRule("capability_violation", code=404)]).category is C.CAPABILITY_VIOLATION
    )


PROPERTIES = {
    "provider_failure": (True, True, {C.NETWORK_ERROR, C.SERVER_ERROR, C.AUTH_ERROR, C.INTERNAL_ERROR, C.TIMEOUT,
                                      C.PROVIDER_ERROR, C.CHAIN_ERROR, C.METHOD_ERROR}),
    "capability": (True, False, {C.CAPABILITY_VIOLATION, C.REQUIRES_ARCHIVAL, C.BLOCK_NOT_AVAILABLE,
                                 C.METHOD_NOT_FOUND, C.LOCAL_CAPACITY}),
    "quota": (True, False, {C.RATE_LIMIT}),
    "deterministic": (False, False, {C.INVALID_REQUEST, C.INVALID_PARAMS, C.PARSE_ERROR, C.USER_ERROR, C.CLIENT_ERROR,
                                     C.EXECUTION_REVERT}),
}  # fmt: skip


@pytest.mark.parametrize("category", Category)
def test_the_properties_of_every_category(category: Category) -> None:
    verdict = verdict_for(category)
    if category is C.UNKNOWN_ERROR:
        assert (verdict.retriable, verdict.counts, verdict.kind) == (False, False, "provider_failure")
        return
    if category is C.UNCLASSIFIED_SERVER_ERROR:
        assert (verdict.failover, verdict.counts, verdict.kind) == ("once", False, "provider_failure")
        return
    retriable, counts, members = PROPERTIES[verdict.kind]
    assert category in members
    assert (verdict.retriable, verdict.counts) == (retriable, counts)


def test_every_category_a_profile_may_name_exists() -> None:
    assert {*ERROR_CATEGORIES} <= {str(category) for category in VERDICTS}


def test_timeouts_and_broken_replies_are_the_providers_failures() -> None:
    assert verdict_for(C.TIMEOUT).counts
    assert verdict_for(C.PROVIDER_ERROR).counts


@attrs.frozen
class Fault:
    reason: str
    local: bool = False
    dispatched: bool = True


@pytest.mark.parametrize(
    ("fault", "category"),
    [
        (Fault("refused", dispatched=False), C.NETWORK_ERROR),
        (Fault("reset"), C.NETWORK_ERROR),
        (Fault("framing"), C.PROVIDER_ERROR),
        (Fault("body"), C.CLIENT_ERROR),
        (Fault("pool_full", local=True), C.LOCAL_CAPACITY),
    ],
)
def test_transport_faults(fault: Fault, category: Category) -> None:
    assert classify_fault(fault).category is category


def test_our_own_full_pool_goes_elsewhere_and_blames_nobody() -> None:
    verdict = classify_fault(Fault("pool_full", local=True))
    assert (verdict.retriable, verdict.counts) == (True, False)


@pytest.mark.parametrize("message", ["insufficient funds for gas * price + value", "out of gas", "gas limit too high"])
def test_the_same_text_refuses_a_transaction_and_is_the_outcome_of_a_call(message: str) -> None:
    sent = classify(200, -32000, message, None, method="eth_sendRawTransaction")
    called = classify(200, -32000, message, None, method="eth_call")
    assert (sent.error_class, called.error_class) == ("transaction_refused", "revert")
    assert classify(200, -32000, message, None) == called


def test_a_text_is_judged_anew_by_another_catalogue() -> None:
    before = use(load(SHIPPED))
    try:
        classify(200, -32000, "header not found", None)
        assert classify(200, -32000, "header not found", None).row == "block-missing"
        rows = {**before.rows, "text": tuple(row for row in before.rows["text"] if row.name != "block-missing")}
        use(build(rows))
        assert classify(200, -32000, "header not found", None).error_class == "unclassified"
    finally:
        use(before)
    assert current() is before


def test_a_row_for_one_code_says_nothing_of_others() -> None:
    assert classify(200, -32603, "rejected", None).row == "transaction-rejected"
    assert classify(200, -32000, "rejected", None).error_class == "unclassified"


def test_a_challenge_page_is_no_refusal_of_a_key_but_an_error_that_quotes_one_is() -> None:
    assert classify(403, None, "<html>just a moment", None).row == "http-403-challenge"
    assert classify(403, -32000, "<html>just a moment", None).row == "http-403"


def test_a_status_that_only_some_texts_go_with_leaves_the_rest_to_the_body() -> None:
    rows = current().rows
    only = tuple(row for row in rows["status"] if row.name == "http-413-range")
    before = use(build({**rows, "status": only}))
    try:
        assert classify(413, -32000, "this range", None).row == "http-413-range"
        assert classify(413, -32000, "header not found", None).row == "block-missing"
    finally:
        use(before)


def test_a_status_outside_of_http_without_a_body_is_a_broken_answer() -> None:
    assert category_of(None, "", None, 600) is C.PROVIDER_ERROR


def test_only_the_first_two_thousand_characters_are_read() -> None:
    assert category_of(-32000, "x" * 3000 + "too many requests") is C.UNCLASSIFIED_SERVER_ERROR


@given(
    st.integers(100, 599),
    st.none() | st.integers(),
    st.text(),
    st.recursive(st.none() | st.text() | st.binary() | st.integers(), lambda inner: st.dictionaries(st.text(), inner)),
)
def test_nothing_a_provider_sends_makes_it_raise(status: int, code: int | None, message: str, data: object) -> None:
    assert classify(status, code, message, data, RULES).category in VERDICTS
