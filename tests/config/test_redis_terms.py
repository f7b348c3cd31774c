from __future__ import annotations

import pytest

from lasso_trio.config.redis_terms import RedisTerms, read
from lasso_trio.config.report import Report
from lasso_trio.config.secret import Secret
from lasso_trio.config.settings import Settings
from lasso_trio.config.variables import Variables


def terms(value: str) -> RedisTerms | None:
    return read(Variables({"LASSO_REDIS_URL": value}, Report("environment")))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://cache.internal", RedisTerms("cache.internal")),
        ("redis://[::1]:7000/3", RedisTerms("::1", 7000, database=3)),
        ("redis://:p%40ss@h/", RedisTerms("h", password=Secret("p@ss"))),
        ("rediss://me:word@h:1", RedisTerms("h", 1, tls=True, user="me", password=Secret("word"))),
        ("unix:///run/redis.sock", RedisTerms("", 0, "/run/redis.sock")),
        ("unix://:word@/run/redis.sock?db=2", RedisTerms("", 0, "/run/redis.sock", 2, password=Secret("word"))),
    ],
)
def test_a_url_says_where_the_engine_is(url: str, expected: RedisTerms) -> None:
    assert terms(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "http://:word@h",
        "redis://",
        "redis:///3",
        "redis://:word@h:99999",
        "redis://h/word",
        "redis://h/-1",
        "redis://h?ssl_cert_reqs=none",
        "redis://h#word",
        "unix://h/run/redis.sock",
        "unix:///",
        "unix:///run/redis.sock?word=2",
        "unix:///run/redis.sock?db",
        "word",
    ],
)
def test_what_is_none_is_reported_without_showing_it(url: str) -> None:
    report = Report("environment")
    assert read(Variables({"LASSO_REDIS_URL": url}, report)) is None
    (problem,) = report.problems
    assert "word" not in str(problem)
    assert "LASSO_REDIS_URL" in str(problem)


def test_nothing_set_is_nothing_shared() -> None:
    assert terms("") is None


def test_shown_it_tells_no_password() -> None:
    made = terms("rediss://me:hidden@h:1/2")
    assert "hidden" not in f"{made} {made!r}"
    assert str(made) == "h:1"
    assert str(terms("unix:///run/redis.sock")) == "/run/redis.sock"


def test_it_is_one_of_the_settings() -> None:
    assert Settings.from_env({"LASSO_REDIS_URL": "redis://h"}).redis == RedisTerms("h")
    assert Settings.from_env({}).redis is None
