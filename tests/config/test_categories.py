from __future__ import annotations

from lasso_trio.config.categories import ERROR_CATEGORIES, METHOD_CATEGORIES
from lasso_trio.jsonrpc.methods import all_known
from lasso_trio.providers.catalogue import Category


def test_no_category_is_listed_twice_and_all_are_plain_words() -> None:
    for words in (METHOD_CATEGORIES, ERROR_CATEGORIES):
        assert len(set(words)) == len(words)
        assert all(word.replace("_", "").isalnum() and word == word.lower() for word in words)


def test_what_is_refused_by_default_is_a_category() -> None:
    assert "local_only" in METHOD_CATEGORIES


def test_the_rooms_that_act_on_categories_know_the_same_ones() -> None:
    assert {method.category for method in all_known()} == set(METHOD_CATEGORIES)
    assert set(ERROR_CATEGORIES) <= {category.value for category in Category}
