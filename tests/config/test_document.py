from __future__ import annotations

import pytest
import strictyaml
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.config.document import Items, Scalar, Table, read_document, scalars
from lasso_trio.config.report import Report


def read(text: str) -> tuple[Table | None, list[str]]:
    report = Report("f.yml")
    return read_document(text, report), [str(problem) for problem in report.problems]


def lines_of(table: Table) -> dict[str, int]:
    return {key.text: key.line for key, _ in table.pairs}


def test_every_key_and_value_knows_its_line() -> None:
    table, problems = read("# a comment\na: 1\n\nb:\n  c: |\n    x\n    y\n  d:\n    - e\n    - f\n")
    assert problems == []
    assert table is not None
    assert lines_of(table) == {"a": 2, "b": 4}
    inner = {key.text: value for key, value in table.pairs}["b"]
    assert isinstance(inner, Table)
    assert lines_of(inner) == {"c": 5, "d": 8}
    assert [scalar.line for scalar in scalars(table)] == [2, 5, 9, 10]


def test_lines_of_a_body_behind_front_matter_are_the_lines_of_the_file() -> None:
    table, problems = read("---\nname: x\n---\n\nchains:\n  a: 1\n")
    assert problems == []
    assert table is not None
    assert lines_of(table) == {"name": 2, "chains": 5}


@pytest.mark.parametrize(
    "text",
    [
        "# comment\n\n--- # front\nname: x\n---   # body\nchains: y\n",
        "---\r\nname: x\r\n---\r\nchains: y\r\n",
        "\ufeff---\nname: x\n---\nchains: y\n",
        "name: x\nchains: y\n",
        "---\nname: x\nchains: y\n",
    ],
    ids=["comments", "crlf", "bom", "one document", "one document behind a marker"],
)
def test_front_matter_and_body_and_one_document_are_the_same_mapping(text: str) -> None:
    table, problems = read(text)
    assert problems == []
    assert table is not None
    assert [(key.text, value.text) for key, value in table.pairs if isinstance(value, Scalar)] == [
        ("name", "x"),
        ("chains", "y"),
    ]


def test_every_duplicate_key_is_reported_also_across_front_matter_and_body_and_in_flow() -> None:
    _, problems = read("---\na: 1\nb: {c: 1, c: 2}\n---\na: 2\nd:\n  e: 1\n  e: 2\n  e: 3\n")
    assert problems == [
        "f.yml:3: duplicate key 'c' (first on line 3)",
        "f.yml:5: duplicate key 'a' (first on line 2)",
        "f.yml:8: duplicate key 'e' (first on line 7)",
        "f.yml:9: duplicate key 'e' (first on line 7)",
    ]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a: 1\nb: !!str c\n", 2, "tags such as !!str are not allowed"),
        ("a: &x 1\n", 1, "anchors and aliases"),
        ("a: 1\nb: *x\n", 2, "undefined alias"),
        ("a: 1\nb:\n\tc: 2\n", 3, "cannot start any token"),
        ("a: 1\nb: [1,\n  2\n", 2, "flow sequence"),
        ("a: 1\nb: 'x\nc: 2\n", 2, "quoted scalar"),
        ("a: 1\nb: c: d\n", 2, "mapping values are not allowed"),
        ("a: 1\n---\nb: 2\n", 2, "another document"),
        ("---\na: 1\n---\nb: 2\n---\nc: 3\n", 5, "another document"),
        ("a: 1\nb: \x01\n", 2, "not valid YAML"),
        ("a: 1\n'b': \"\\ud800\"\n", 2, "surrogate"),
        ('a: 1\nb: "\\Uffffffff"\n', None, "not valid YAML"),
        ("[" * 500, None, "nested too deeply"),
        ("a: 1\nb: {url: ${KEY}}\n", 2, 'write "${NAME}" with quotes'),
        ("? [x]\n: y\n", 1, "a key must be plain text"),
        ("- a\n", 1, "expected `key: value` lines"),
        ("just words\n", 1, "expected `key: value` lines"),
        ("", 1, "the file holds no settings"),
        ("# nothing\n", 1, "the file holds no settings"),
        ("---\n---\n", 1, "the file holds no settings"),
        ("{}\n", 1, "the file holds no settings"),
    ],
)
def test_what_is_not_a_mapping_in_strict_yaml_is_a_problem_with_its_line(
    text: str, line: int | None, what: str
) -> None:
    report = Report("f.yml")
    read_document(text, report)
    assert [problem.line for problem in report.problems] == [line]
    assert what in report.problems[0].what


def test_a_mistake_in_the_front_matter_does_not_hide_one_in_the_body() -> None:
    _, problems = read("---\na: [\n---\nb: c: d\n")
    assert len(problems) == 2


def test_the_parts_of_strictyaml_that_are_used_agree_with_its_public_door() -> None:
    text = "a: 1\nb: [x, 'y']\nc: {d: e}\nf: no\ng:\n  - h: 1.10\n"
    table, problems = read(text)
    assert problems == []
    assert table is not None
    assert plain(table) == strictyaml.dirty_load(text, allow_flow_style=True).data
    for refused in ("a: 1\na: 2\n", "a: &x 1\n", "a: !t 1\n", "a: 1\n---\nb: 1\n"):
        with pytest.raises(strictyaml.YAMLError):
            strictyaml.dirty_load(refused, allow_flow_style=True)
        assert read(refused)[1]


def plain(node: Table | Items | Scalar) -> object:
    if isinstance(node, Table):
        return {key.text: plain(value) for key, value in node.pairs}
    return [plain(item) for item in node.nodes] if isinstance(node, Items) else node.text


@pytest.mark.fuzz
@given(st.text(st.characters() | st.sampled_from("{}[]:,-'\"|>&*!#%@\\\n \t?~$"), max_size=60))
def test_no_text_brings_the_reader_down(text: str) -> None:
    table, problems = read(text)
    assert table is not None or problems
