from __future__ import annotations

from lasso_trio.config.report import Report, nearest
from lasso_trio.errors import Problem


def test_problems_come_in_the_order_of_the_file_and_each_once() -> None:
    report = Report("f.yml")
    report.add(7, "late")
    report.add(2, "early")
    report.add(7, "late")
    report.add(None, "somewhere")
    assert [str(problem) for problem in report.in_order()] == ["f.yml: somewhere", "f.yml:2: early", "f.yml:7: late"]


def test_a_hint_is_printed_as_a_question() -> None:
    assert (
        str(Problem("f.yml", 3, "unknown key 'nmae'", "name")) == "f.yml:3: unknown key 'nmae' (did you mean 'name'?)"
    )


def test_the_nearest_word_is_found_whatever_its_case() -> None:
    assert nearest("Priorty", ["priority", "url"]) == "priority"
    assert nearest("lasso_prot", ["LASSO_PORT"]) == "LASSO_PORT"


def test_nothing_is_suggested_when_nothing_is_near() -> None:
    assert nearest("zzz", ["priority", "url"]) is None
    assert nearest("x", []) is None
