from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import MutableMapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result

import lasso_trio
from lasso_trio import cli
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.settings import Settings
from lasso_trio.errors import LassoError
from lasso_trio.workers import parent, standby

GOOD = "chains: {ethereum: {chain_id: 1, providers: [{id: a, url: 'https://a/${KEY}'}]}}\n"


class FakeApp(ModuleType):
    """Stands in for `serving` and `demo`: notes what it is asked to run and answers with `code` or raises it."""

    def __init__(self) -> None:
        super().__init__("lasso_trio.fake")
        self.calls: list[Any] = []
        self.code: int | Exception = 0

    def serve(self, settings: Settings, profiles: ProfileSet) -> int:
        return self._answer("serve", settings, profiles)

    def demo(self, settings: Settings, base_port: int) -> int:
        return self._answer("demo", settings, base_port)

    def _answer(self, *call: object) -> int:
        self.calls.append(call)
        if isinstance(self.code, Exception):
            raise self.code
        return self.code


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> FakeApp:
    fake = FakeApp()
    for name in ("serving", "demo"):
        monkeypatch.setitem(sys.modules, f"lasso_trio.{name}", fake)
        monkeypatch.setattr(lasso_trio, name, fake, raising=False)
    return fake


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory and no variables of ours."""
    for name in ("PORT", "PHX_HOST", "PHX_SCHEME", "PHX_SERVER", "SECRET_KEY_BASE", "KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lasso(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(cli.main, arguments, env=environ)


def write_profile(directory: Path, text: str = GOOD) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / "mine.yml").write_text(text)
    return directory


def test_version_is_the_packages() -> None:
    assert lasso("--version").stdout == f"{lasso_trio.__version__}\n"
    assert lasso("version").stdout == f"{lasso_trio.__version__}\n"


def test_a_secret_is_long_enough_and_another_one_each_time() -> None:
    first, second = lasso("secret").stdout.strip(), lasso("secret").stdout.strip()
    assert len(first.encode()) >= 64
    assert first != second
    assert Settings.from_env({"LASSO_ENV": "prod", "SECRET_KEY_BASE": first, "PHX_HOST": "h", "LASSO_NODE_ID": "n"})


def test_validate_says_what_it_found(home: Path) -> None:
    done = lasso("validate", str(write_profile(home / "here")), KEY="k")
    assert done.exit_code == 0
    assert done.stdout == "mine: ethereum (1); 1 providers: OK\n"


def test_validate_lists_every_problem_of_environment_and_profiles_and_exits_2(home: Path) -> None:
    where = write_profile(home / "here", GOOD + "nmae: x\n")
    done = lasso("validate", "here", PORT="x", LASSO_GRACE_S="-1")
    assert where.exists()
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "environment: PORT must be an integer from 0 to 65535, found 'x'",
        "environment: LASSO_GRACE_S must be a number of at least 0, found '-1'",
        "here/mine.yml:1: environment variable KEY is not set (${KEY})",
        "here/mine.yml:2: unknown key 'nmae' in profile (did you mean 'name'?)",
        "4 problems in the configuration",
    ]


def test_without_a_directory_the_variable_then_the_usual_place_then_the_shipped_profiles_count(home: Path) -> None:
    assert lasso("validate").stdout.startswith("demo: demo (31337); 4 providers: OK\npublic: ")
    write_profile(home / "profiles")
    assert lasso("validate", KEY="k").stdout.startswith("mine: ")
    write_profile(home / "elsewhere", GOOD.replace("ethereum", "base"))
    assert lasso("validate", KEY="k", LASSO_PROFILES_DIR="elsewhere").stdout == "mine: base (1); 1 providers: OK\n"


def test_dump_shows_settings_and_profiles_and_no_secret(home: Path) -> None:
    write_profile(home / "profiles")
    done = lasso("dump", KEY="topsecret", SECRET_KEY_BASE="topsecret")
    assert done.exit_code == 0
    assert "topsecret" not in done.stdout
    assert "#   port: 4000" in done.stdout
    assert "url: https://a/***" in done.stdout


def test_dotenv_in_the_working_directory_counts_less_than_the_environment(home: Path, app: FakeApp) -> None:
    write_profile(home / "profiles")
    (home / ".env").write_text("KEY=from-file\nPORT=5001\n")
    assert lasso("serve", PORT="5002").exit_code == 0
    ((_, settings, profiles),) = app.calls
    assert settings.port == 5002
    assert profiles.default.chains[0].providers[0].url.reveal() == "https://a/from-file"


def test_serve_hands_over_what_the_command_line_and_the_environment_say(home: Path, app: FakeApp) -> None:
    directory = write_profile(home / "here")
    done = lasso("serve", "--host", "0.0.0.0", "--port", "0", "--profiles", str(directory), KEY="k", PORT="5002")
    assert done.exit_code == 0
    ((command, settings, profiles),) = app.calls
    assert command == "serve"
    assert (settings.host, settings.port, settings.profiles_dir) == ("0.0.0.0", 0, directory)
    assert isinstance(profiles, ProfileSet)
    assert list(profiles.profiles) == ["mine"]


def test_serve_does_not_start_on_a_bad_configuration(home: Path, app: FakeApp) -> None:
    write_profile(home / "profiles")
    done = lasso("serve")
    assert done.exit_code == 2
    assert "profiles/mine.yml:1: environment variable KEY is not set (${KEY})" in done.stderr
    assert done.stderr.endswith("1 problem in the configuration\n")
    assert app.calls == []


def test_the_exit_code_is_the_apps(home: Path, app: FakeApp) -> None:
    app.code = 1
    assert lasso("demo").exit_code == 1


@pytest.mark.parametrize("failure", [OSError("address in use"), LassoError("no way")])
def test_a_failure_with_a_reason_is_one_line_and_exit_code_1(app: FakeApp, failure: Exception) -> None:
    app.code = failure
    done = lasso("demo")
    assert done.exit_code == 1
    assert done.stderr == f"lasso: {failure}\n"


def test_several_workers_begin_with_their_parent(home: Path, app: FakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    write_profile(home / "profiles")
    served: list[Settings] = []
    monkeypatch.setattr(parent, "serve", lambda settings: served.append(settings) or 3)
    assert lasso("serve", LASSO_WORKERS="2", KEY="k").exit_code == 3
    assert ([settings.workers for settings in served], app.calls) == ([2], [])
    assert lasso("serve", LASSO_WORKERS="2", _LASSO_WORKER="{}", KEY="k").exit_code == 0
    assert [name for name, *_ in app.calls] == ["serve"]


@pytest.mark.parametrize("needed", [False, True])
def test_a_standby_reads_nothing_before_it_is_needed(
    home: Path, app: FakeApp, monkeypatch: pytest.MonkeyPatch, needed: bool
) -> None:
    def become_worker(environment: MutableMapping[str, str]) -> bool:
        assert environment.pop("_LASSO_STANDBY") == "7"
        write_profile(home / "profiles")
        environment["_LASSO_WORKER"] = "{}"
        return needed

    monkeypatch.setattr(standby, "become_worker", become_worker)
    assert lasso("serve", LASSO_WORKERS="2", _LASSO_STANDBY="7", _LASSO_WORKER="", KEY="k").exit_code == 0
    assert [name for name, *_ in app.calls] == ["serve"] * needed


def test_the_demo_has_ports_of_its_own(app: FakeApp) -> None:
    assert lasso("demo").exit_code == 0
    assert lasso("demo", "--port", "4100", "--base-port", "20000").exit_code == 0
    assert [(settings.host, settings.port, base) for _, settings, base in app.calls] == [
        ("127.0.0.1", 4000, 18545),
        ("127.0.0.1", 4100, 20000),
    ]


def test_a_warning_does_not_stop_anything(app: FakeApp) -> None:
    done = lasso("demo", LASSO_MAX_BACH="1")
    assert done.exit_code == 0
    assert done.stderr == (
        "warning: environment: LASSO_MAX_BACH is not a variable of this version (did you mean 'LASSO_MAX_BATCH'?)\n"
    )


def test_the_demo_listens_on_loopback_whatever_the_environment_says_of_nodes(app: FakeApp) -> None:
    prod = {"LASSO_ENV": "prod", "SECRET_KEY_BASE": "s" * 64, "PHX_HOST": "rpc.test", "LASSO_NODE_ID": "a"}
    assert lasso("demo", PHX_SERVER="false", **prod).exit_code == 0
    ((_, settings, _),) = app.calls
    assert (settings.host, settings.listen) == ("127.0.0.1", True)


def test_a_wrong_command_line_exits_2() -> None:
    assert lasso("serve", "--port", "70000").exit_code == 2
    assert lasso("demo", "--base-port", "3").exit_code == 2
    assert lasso("sevre").exit_code == 2


def test_what_a_misspelt_word_was_meant_to_be_is_said_in_words(home: Path) -> None:
    assert "(did you mean 'prod'?)" in lasso("validate", LASSO_ENV="prodution").stderr


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors are POSIX's")
def test_a_stream_that_was_closed_before_the_start_becomes_no_other_file() -> None:
    code = (
        "import os; os.closerange(0, 3); from lasso_trio import cli; "
        "cli.main(['version'], standalone_mode=False); os._exit(os.open('/dev/zero', os.O_RDONLY))"
    )
    root = str(Path(lasso_trio.__file__).parent.parent)
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode > 2


def test_a_reader_that_has_enough_is_no_failure_worth_a_word(home: Path) -> None:
    directory = write_profile(home / "profiles")
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "lasso_trio", "dump", str(directory)]
    environ = {**os.environ, "KEY": "k", "PYTHONPATH": str(Path(lasso_trio.__file__).parent.parent)}
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=environ, cwd=home, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_the_module_can_be_run_and_asks_for_no_server() -> None:
    code = "import sys, lasso_trio.cli; sys.exit(any(name in sys.modules for name in ('trio', 'quart', 'strictyaml')))"
    root = str(Path(lasso_trio.__file__).parent.parent)
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
    done = subprocess.run([sys.executable, "-m", "lasso_trio", "version"], cwd=root, capture_output=True, check=True)
    assert done.stdout.decode().strip() == lasso_trio.__version__


def test_probe_without_a_target_says_what_it_wants() -> None:
    result = lasso("probe")
    assert result.exit_code == 2
    assert "name a chain or a URL, or say --all" in result.stderr


def test_probe_of_a_url_reads_no_profile(home: Path) -> None:
    (home / "profiles").mkdir()
    (home / "profiles" / "broken.yml").write_text("nonsense")
    result = lasso("probe", "http://127.0.0.1:1/sekret-sekret", "--only", "batch", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["endpoints"][0]["shown"] == "http://127.0.0.1:1/***"
    assert "sekret" not in result.output


def test_probe_of_a_chain_needs_good_profiles(home: Path) -> None:
    (home / "profiles").mkdir()
    (home / "profiles" / "broken.yml").write_text("nonsense")
    assert lasso("probe", "ethereum").exit_code == 2
    (home / "profiles" / "broken.yml").write_text(GOOD.replace("${KEY}", ""))
    result = lasso("probe", "solana")
    assert result.exit_code == 2
    assert "no profile has a chain 'solana'; there are ethereum" in result.stderr


def test_commands_that_draw_no_table_do_not_load_what_draws_them() -> None:
    code = "import sys, lasso_trio.cli; sys.exit(bool({'rich', 'httpx', 'trio_websocket'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
