from __future__ import annotations

from lasso_trio.config.categories import ERROR_CATEGORIES, METHOD_CATEGORIES


def test_no_category_is_listed_twice_and_all_are_plain_words() -> None:
    for words in (METHOD_CATEGORIES, ERROR_CATEGORIES):
        assert len(set(words)) == len(words)
        assert all(word.replace("_", "").isalnum() and word == word.lower() for word in words)


def test_what_is_refused_by_default_is_a_category() -> None:
    assert "local_only" in METHOD_CATEGORIES
