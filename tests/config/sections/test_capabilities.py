from __future__ import annotations

from collections.abc import Callable

import pytest

from lasso_trio.config.categories import ERROR_CATEGORIES, METHOD_CATEGORIES
from lasso_trio.config.profile import Capabilities, ErrorRule, Limits, Profile

Faults = Callable[..., list[str]]
Build = Callable[[str], str]
Read = Callable[..., Profile]


@pytest.fixture
def capabilities(read: Read, with_provider: Build) -> Callable[[str], Capabilities]:
    return lambda lines: read(with_provider(f"url: https://h\n{lines}")).chains[0].providers[0].capabilities


@pytest.fixture
def wrong(faults: Faults, with_provider: Build) -> Callable[[str], list[str]]:
    """The problems of `capabilities` with these lines, the first of which is line 8."""

    def wrong(lines: str) -> list[str]:
        indented = "".join(f"  {line}\n" for line in lines.splitlines())
        return faults(with_provider(f"url: https://h\ncapabilities:\n{indented}"))

    return wrong


def test_without_capabilities_only_local_methods_are_refused(capabilities: Callable[[str], Capabilities]) -> None:
    assert capabilities("") == Capabilities(unsupported_categories=("local_only",))


def test_given_categories_replace_the_default_even_when_there_are_none(
    capabilities: Callable[[str], Capabilities],
) -> None:
    assert capabilities("capabilities: {unsupported_categories: [debug]}").unsupported_categories == ("debug",)
    assert capabilities("capabilities: {unsupported_categories: []}").unsupported_categories == ()
    assert capabilities("capabilities: {unsupported_methods: [eth_call]}") == Capabilities(
        unsupported_methods=("eth_call",)
    )


def test_every_category_is_accepted(capabilities: Callable[[str], Capabilities]) -> None:
    listed = ", ".join(METHOD_CATEGORIES)
    assert capabilities(f"capabilities: {{unsupported_categories: [{listed}]}}").unsupported_categories == (
        METHOD_CATEGORIES
    )
    rules = ", ".join(f"{{code: 1, category: {category}}}" for category in ERROR_CATEGORIES)
    read = capabilities(f"capabilities: {{error_rules: [{rules}]}}")
    assert tuple(rule.category for rule in read.error_rules) == ERROR_CATEGORIES


def test_limits(capabilities: Callable[[str], Capabilities]) -> None:
    lines = "capabilities: {limits: {max_block_range: 0, max_block_age: 9, block_age_methods: [eth_call]}}"
    assert capabilities(lines).limits == Limits(0, 9, ("eth_call",))


def test_rules_keep_their_order_and_a_single_fragment_needs_no_list(
    capabilities: Callable[[str], Capabilities],
) -> None:
    lines = """capabilities:
  error_rules:
    - {code: -32005, category: rate_limit}
    - {message_contains: pruned, category: requires_archival}
    - {code: 35, message_contains: ["a: b", c], category: capability_violation}"""
    assert capabilities(lines).error_rules == (
        ErrorRule("rate_limit", -32005),
        ErrorRule("requires_archival", None, ("pruned",)),
        ErrorRule("capability_violation", 35, ("a: b", "c")),
    )


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            "unsupported_categories: [debug, tracing]",
            "8: 'tracing' is not a valid method category (did you mean 'trace'?)",
        ),
        ("unsupported_categories: debug", "8: 'unsupported_categories' must be a list of strings, found 'debug'"),
        ("unsupported_methods: {a: b}", "8: 'unsupported_methods' must be a list of strings, found a mapping"),
        ("unsupported_methods:\n  - ok\n  - [x]", "10: 'unsupported_methods' must be a list of strings, but holds a"),
        ("limits:\n  max_block_range: -1", "9: 'max_block_range' must be a non-negative integer, found '-1'"),
        ("limits:\n  max_block_age: many", "9: 'max_block_age' must be a non-negative integer, found 'many'"),
        ("limits:\n  max_block_ranges: 1", "9: unknown key 'max_block_ranges' in limits (did you mean"),
        ("limits: 5", "8: 'limits' must hold `key: value` lines"),
        ("error_rules: {code: 1}", "8: 'error_rules' must be a list of rules"),
        ("error_rules:\n  - 35", "9: an error rule must hold `key: value` pairs, found '35'"),
        ("error_rules:\n  - category: rate_limit", "9: an error rule must have at least one of 'code' and"),
        ("error_rules:\n  - code: 1", "9: an error rule must have exactly one :category"),
        ("error_rules:\n  - code: 1\n    category: [rate_limit]", "10: an error rule must have exactly one :category"),
        (
            "error_rules:\n  - code: 1\n    category: rate_limits",
            "10: 'rate_limits' is not a valid category (did you mean 'rate_limit'?)",
        ),
        ("error_rules:\n  - {code: x, category: rate_limit}", "9: 'code' must be an integer, found 'x'"),
        (
            "error_rules:\n  - {message_contains: {a: b}, category: rate_limit}",
            "9: 'message_contains' must be a string or list of strings",
        ),
        (
            "error_rules:\n  - {message_contains: [a, [b]], category: rate_limit}",
            "9: 'message_contains' list must contain only strings",
        ),
        (
            "error_rules:\n  - {message_contains: [], category: rate_limit}",
            "9: 'message_contains' must have at least one string",
        ),
        (
            "error_rules:\n  - {message_contains: ['  '], category: rate_limit}",
            "9: 'message_contains' must not be blank: it would match every error",
        ),
        ("error_rule: []", "8: unknown key 'error_rule' in capabilities (did you mean 'error_rules'?)"),
    ],
)
def test_each_mistake_has_its_message_and_line(wrong: Callable[[str], list[str]], lines: str, told: str) -> None:
    found = wrong(lines)
    assert len(found) == 1
    assert found[0].startswith(told)


def test_all_mistakes_are_reported_together(wrong: Callable[[str], list[str]]) -> None:
    found = wrong("unsupported_categories: [x1]\nlimits: {max_block_age: -1}\nerror_rules:\n  - code: 1\n  - code: 2")
    assert [line.split(":")[0] for line in found] == ["8", "9", "11", "12"]
