"""`capabilities`: what a provider cannot do, and how its own error texts are to be understood."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from lasso_trio.config.categories import ERROR_CATEGORIES, METHOD_CATEGORIES
from lasso_trio.config.document import Items, Node, Scalar, Table
from lasso_trio.config.fields import Fields, found
from lasso_trio.config.profile import Capabilities, ErrorRule, Limits
from lasso_trio.config.report import nearest

CAPABILITY_KEYS: Final = ("unsupported_categories", "unsupported_methods", "limits", "error_rules")
LIMIT_KEYS: Final = ("max_block_range", "max_block_age", "block_age_methods")
RULE_KEYS: Final = ("code", "message_contains", "category")


def read_capabilities(fields: Fields | None) -> Capabilities:
    """A given `unsupported_categories`, even an empty one, replaces the default."""
    if fields is None:
        return Capabilities()
    given = _categories(fields) if "unsupported_categories" in fields else Capabilities().unsupported_categories
    return Capabilities(
        unsupported_categories=given,
        unsupported_methods=_texts(fields, "unsupported_methods"),
        limits=_limits(fields.section("limits", LIMIT_KEYS)),
        error_rules=tuple(_rules(fields)),
    )


def _categories(fields: Fields) -> tuple[str, ...]:
    words = fields.texts("unsupported_categories")
    for word in words:
        if word.text not in METHOD_CATEGORIES:
            hint = nearest(word.shown, METHOD_CATEGORIES)
            fields.report.add(word.line, f"{word.shown!r} is not a valid method category", hint)
    return tuple(word.text for word in words)


def _limits(fields: Fields | None) -> Limits:
    if fields is None:
        return Limits()
    return Limits(
        max_block_range=fields.integer("max_block_range", None, least=0),
        max_block_age=fields.integer("max_block_age", None, least=0),
        block_age_methods=_texts(fields, "block_age_methods"),
    )


def _rules(fields: Fields) -> Iterator[ErrorRule]:
    for node in _rule_nodes(fields):
        if not isinstance(node, Table):
            fields.report.add(node.line, f"an error rule must hold `key: value` pairs, found {found(node)}")
            continue
        rule = _rule(Fields(node, "error rule", RULE_KEYS, fields.report))
        if rule is not None:
            yield rule


def _rule_nodes(fields: Fields) -> Iterable[Node]:
    if "error_rules" not in fields:
        return ()
    node = fields.node("error_rules")
    if isinstance(node, Items):
        return node.nodes
    fields.complain("error_rules", "'error_rules' must be a list of rules")
    return ()


def _rule(fields: Fields) -> ErrorRule | None:
    if "code" not in fields and "message_contains" not in fields:
        fields.report.add(fields.own_line, "an error rule must have at least one of 'code' and 'message_contains'")
    code = fields.integer("code", None)
    fragments = _fragments(fields)
    category = _category(fields)
    return None if category is None else ErrorRule(category, code, fragments)


def _category(fields: Fields) -> str | None:
    scalar = fields.node("category")
    if not isinstance(scalar, Scalar):
        fields.complain("category", "an error rule must have exactly one :category")
        return None
    if scalar.text not in ERROR_CATEGORIES:
        hint = nearest(scalar.shown, ERROR_CATEGORIES)
        fields.complain("category", f"{scalar.shown!r} is not a valid category", hint)
    return scalar.text


def _fragments(fields: Fields) -> tuple[str, ...]:
    if "message_contains" not in fields:
        return ()
    node = fields.node("message_contains")
    if isinstance(node, Scalar):
        return _checked_fragments((node,), fields)
    if isinstance(node, Items) and node.nodes:
        return _checked_fragments(node.nodes, fields)
    fault = "must have at least one string" if isinstance(node, Items) else "must be a string or list of strings"
    fields.complain("message_contains", f"'message_contains' {fault}")
    return ()


def _checked_fragments(nodes: Iterable[Node], fields: Fields) -> tuple[str, ...]:
    good = []
    for node in nodes:
        if not isinstance(node, Scalar) or node.is_null:
            fields.report.add(node.line, "'message_contains' list must contain only strings")
        elif not node.text.strip():
            fields.report.add(node.line, "'message_contains' must not be blank: it would match every error")
        else:
            good.append(node.text)
    return tuple(good)


def _texts(fields: Fields, key: str) -> tuple[str, ...]:
    return tuple(word.text for word in fields.texts(key))
