"""The two vocabularies fit each other, and the short answers of a verdict follow from the long ones."""

from __future__ import annotations

import pytest

from lasso_trio.providers.verdict import CATEGORY_OF, EFFECTS, VERDICTS, Category, ErrorClass, verdict_of


@pytest.mark.parametrize("error_class", ErrorClass)
def test_every_class_decides_and_has_a_usual_category(error_class: ErrorClass) -> None:
    assert EFFECTS[error_class].meaning
    assert CATEGORY_OF[error_class] in Category


@pytest.mark.parametrize("category", Category)
def test_every_category_has_a_verdict_of_its_own_name(category: Category) -> None:
    assert VERDICTS[category].category is category
    assert VERDICTS[category] == verdict_of(category)


@pytest.mark.parametrize(
    ("error_class", "kind", "retriable", "counts"),
    [
        (ErrorClass.TRANSACTION_KNOWN, "deterministic", False, False),
        (ErrorClass.TRANSACTION_REFUSED, "deterministic", False, False),
        (ErrorClass.SPLIT, "capability", True, False),
        (ErrorClass.QUOTA, "quota", True, False),
        (ErrorClass.RATE_LIMIT, "quota", True, False),
        (ErrorClass.TIMEOUT, "provider_failure", True, True),
        (ErrorClass.AUTH, "provider_failure", True, True),
        (ErrorClass.UNCLASSIFIED, "provider_failure", True, False),
        (ErrorClass.UNKNOWN, "provider_failure", False, False),
    ],
)
def test_what_follows_from_a_class(error_class: ErrorClass, kind: str, retriable: bool, counts: bool) -> None:
    verdict = verdict_of(CATEGORY_OF[error_class], error_class)
    assert (verdict.kind, verdict.retriable, verdict.counts) == (kind, retriable, counts)


def test_a_missing_method_is_learned_and_a_row_may_teach_something_else() -> None:
    assert VERDICTS[Category.METHOD_NOT_FOUND].learning == "method"
    assert verdict_of(Category.CAPABILITY_VIOLATION, ErrorClass.SPLIT, "results", "row").learning == "results"
    assert VERDICTS[Category.REQUIRES_ARCHIVAL].learning == "archive"


def test_only_true_failures_of_the_provider_count() -> None:
    counting = {error_class for error_class, effect in EFFECTS.items() if verdict_of(
        CATEGORY_OF[error_class], error_class).counts}  # fmt: skip
    assert counting == {"auth", "server", "timeout", "transport"}
