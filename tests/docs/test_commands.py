"""What the pages tell people to type is right: each command line is carried out, or at least checked against what it
names (options, files, sessions), where a test may not have what it needs.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from lasso_trio.cli import main
from tests.docs.pages import PAGES, ROOT, Line, all_lines, calls_of, scripts

HARMLESS = {"validate", "dump", "secret", "version", "backup", "restore", "key"}
PATH = re.compile(r"`((?:deploy|docs|lasso_trio|news|profiles|scripts|tests)/[\w./-]+|[A-Z][\w]*\.md|Containerfile)`")
FOREIGN = {"scripts/rpc_load_test.mjs", "scripts/export_metrics_csv.mjs"}
"""The original's, in the migration page."""
SESSIONS = set(re.findall(r"^@nox\.session.*\ndef (\w+)", (ROOT / "noxfile.py").read_text(), re.MULTILINE))
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"].keys()
LASSO = calls_of("lasso")


def shown(case: tuple[Line, list[str]]) -> str:
    return str(case[0])


def test_there_are_commands_to_be_checked() -> None:
    assert len(list(all_lines())) > 100
    assert {line.page for line, _ in LASSO} >= {"README.md", "docs/quickstart.md", "docs/check.md", "docs/runbook.md"}


@pytest.mark.parametrize("line", sorted(set(map(str, all_lines()))))
def test_the_shell_understands_every_line(line: str) -> None:
    assert_syntax(line.partition(": ")[2])


@pytest.mark.parametrize(("page", "script"), [(page, script) for page in PAGES for script in scripts(page)])
def test_the_shell_understands_every_block(page: str, script: str) -> None:
    assert_syntax(script)


def assert_syntax(script: str) -> None:
    done = subprocess.run(["bash", "-n", "-c", script], capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stderr) == (0, ""), script


@pytest.mark.parametrize(("line", "arguments"), LASSO, ids=map(shown, LASSO))
def test_every_command_of_ours_exists_with_its_options(line: Line, arguments: list[str]) -> None:
    assert parsed(arguments), line


def parsed(arguments: list[str]) -> bool:
    """Whether click knows the command and every option. Raises UsageError."""
    command: click.Command = main
    context = click.Context(main, info_name="lasso")
    rest = list(arguments)
    while isinstance(command, click.Group):
        if not rest or rest[0] in ("--help", "-h"):
            return True
        name, rest = rest[0], rest[1:]
        found = command.get_command(context, name)
        assert found is not None, f"there is no `lasso {name}`"
        command, context = found, click.Context(found, parent=context, info_name=name)
    command.make_parser(context).parse_args(rest)
    return True


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_prose_names_exists(page: str) -> None:
    for text in re.findall(r"`(lasso [a-z][^`]*)`", PAGES[page]):
        assert parsed(shlex.split(text)[1:]), text


@pytest.mark.parametrize("arguments", [["serv"], ["serve", "--prot", "1"], ["key", "old"]])
def test_a_command_that_is_not_there_is_noticed(arguments: list[str]) -> None:
    with pytest.raises((click.UsageError, AssertionError)):
        parsed(arguments)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """Where a reader sits: profiles under the names that the pages use, and an archive of them."""
    monkeypatch.chdir(tmp_path)
    for folder in ("profiles", "mine"):
        Path(folder).mkdir()
        text = (ROOT / "profiles" / "demo.yml").read_text().replace("slug: demo\n", "")
        (tmp_path / folder / "own.yml").write_text(text)
    monkeypatch.setenv("LASSO_LOG_LEVEL", "error")
    runner = CliRunner()
    assert runner.invoke(main, ["backup", "profiles", "-o", "lasso-profiles.tar.gz"]).exit_code == 0
    return runner


@pytest.mark.parametrize(
    ("line", "arguments"),
    [case for case in LASSO if case[1] and case[1][0] in HARMLESS],
    ids=[str(case[0]) for case in LASSO if case[1] and case[1][0] in HARMLESS],
)
def test_commands_that_do_no_harm_do_what_they_are_said_to(desk: CliRunner, line: Line, arguments: list[str]) -> None:
    done = desk.invoke(main, arguments, input="lasso_a_key_that_is_there_already_0123456789\n")
    assert done.exit_code == 0, f"{line}\n{done.output}"


@pytest.mark.parametrize(("line", "arguments"), calls_of("nox"), ids=map(shown, calls_of("nox")))
def test_every_nox_session_exists(line: Line, arguments: list[str]) -> None:
    assert arguments[0] == "-s"
    sessions = arguments[1 : arguments.index("--")] if "--" in arguments else arguments[1:]
    assert set(sessions) <= SESSIONS


@pytest.mark.parametrize("page", PAGES)
def test_every_nox_session_that_prose_names_exists(page: str) -> None:
    assert set(re.findall(r"`nox -s (\w+)", PAGES[page])) <= SESSIONS


@pytest.mark.parametrize(("line", "arguments"), calls_of("pip"), ids=map(shown, calls_of("pip")))
def test_every_extra_exists(line: Line, arguments: list[str]) -> None:
    for named in re.findall(r"lasso-trio\[(\w+)\]", line.text):
        assert named in EXTRAS


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_exists(page: str) -> None:
    for name in PATH.findall(PAGES[page]):
        near = [ROOT / name, ROOT / "docs" / name]
        assert any(path.exists() for path in near) or name in FOREIGN, f"{page}: {name}"


@pytest.mark.parametrize(
    "line", [line for line in all_lines() if re.search(r"\bpython3? (-m )?\S*tests|python scripts", line.text)], ids=str
)
def test_every_script_that_python_is_to_run_exists(line: Line) -> None:
    for words in line.commands:
        module = words[2].replace(".", "/") + ".py" if words[1] == "-m" else words[1]
        assert (ROOT / module).is_file()
