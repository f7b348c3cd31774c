from __future__ import annotations

import pytest

from lasso_trio.config.report import Report
from lasso_trio.config.sections.names import ChainNames, check_chain_name, check_collisions, check_name


def chain(key: str, chain_id: int | None, *aliases: str, line: int = 1) -> ChainNames:
    """A chain whose id stands on `line` and whose names follow, one per line."""
    names = tuple((name, line + offset) for offset, name in enumerate((key, *aliases), start=1))
    return ChainNames(key, chain_id, line, names)


def collisions(*chains: ChainNames) -> list[str]:
    report = Report("f")
    check_collisions(chains, report)
    return [str(problem) for problem in report.problems]


@pytest.mark.parametrize("name", ["ethereum", "base-sepolia", "A_1.b", "1rpc", "_x", "x" * 128])
def test_names_that_travel_in_urls(name: str) -> None:
    report = Report("f")
    check_name("provider id", name, 1, report)
    assert report.problems == []


@pytest.mark.parametrize("name", ["", ".hidden", "-x", "a/b", "a b", "a?b", "a:b", "é", "a\n", "x" * 129])
def test_names_that_would_have_to_be_escaped_are_refused(name: str) -> None:
    report = Report("f")
    check_name("provider id", name, 1, report)
    assert len(report.problems) == 1


@pytest.mark.parametrize("name", ["fastest", "round-robin", "load_balanced", "provider", "profile", "priority"])
def test_a_chain_is_not_called_like_a_word_of_the_routes(name: str) -> None:
    report = Report("f")
    check_chain_name("chain", name, 3, report)
    assert [problem.line for problem in report.problems] == [3]


def test_chains_with_names_of_their_own_do_not_collide() -> None:
    assert collisions(chain("ethereum", 1, "eth", "1"), chain("base", 8453)) == []


def test_a_chain_id_is_used_once() -> None:
    assert collisions(chain("a", 1), chain("b", 1, line=9)) == ["f:9: duplicate chain_id 1: 'a' has it already"]


def test_an_alias_is_used_once() -> None:
    found = collisions(chain("a", 1, "x", "x"), chain("b", 2, "x", "a", line=9))
    assert found == [
        "f:4: duplicate alias 'x': this chain is called that already",
        "f:11: duplicate alias 'x': 'a' is called that already",
        "f:12: duplicate alias 'a': 'a' is called that already",
    ]


def test_an_alias_is_not_another_chains_decimal_id_in_whatever_order() -> None:
    told = "'2' is the chain id of 'b' (chain_alias_collides_with_chain_id)"
    assert collisions(chain("a", 1, "2"), chain("b", 2)) == [f"f:3: {told}"]
    assert collisions(chain("b", 2), chain("a", 1, "2")) == [f"f:3: {told}"]


def test_a_chain_whose_id_could_not_be_read_collides_with_nothing() -> None:
    assert collisions(chain("a", None), chain("b", None, "0")) == []
