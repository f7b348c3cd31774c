from __future__ import annotations

from pathlib import Path

from lasso_trio.check.setup import Setup
from tests.check.conftest import ENVIRON, PROFILE, setup_of


def test_a_good_setup_has_settings_profiles_and_files(tmp_path: Path) -> None:
    setup = setup_of(tmp_path)
    assert setup.settings is not None
    assert list(setup.profiles) == ["public"]
    assert list(setup.files) == ["public.yml"]
    assert (setup.is_prod, setup.get("PORT"), setup.get("NOTHING")) == (True, "4000", "")
    assert setup.admin_token is not None
    assert ENVIRON["DRPC_KEY"] not in repr(setup)


def test_what_is_wrong_is_kept_and_not_raised(tmp_path: Path) -> None:
    setup = setup_of(tmp_path, {"PORT": "many", "DRPC_KEY": "", "LASSO_ADMIN_TOKEN": ""}, PROFILE + b"nothing: 1\n")
    assert setup.settings is None
    assert setup.profiles == {}
    assert "PORT" in str(setup.complaint("PORT"))
    assert setup.complaint("LASSO_OPS_PORT") is None
    assert [problem.line for problem in setup.unset] == [10]
    assert [problem.what.partition(" ")[0] for problem in setup.unsound] != []
    assert setup.admin_token is None


def test_a_folder_that_is_not_there_is_a_problem_too(tmp_path: Path) -> None:
    assert Setup.read({}, tmp_path / "nowhere").unsound != ()


def test_a_file_that_cannot_be_read_is_a_problem_too(tmp_path: Path) -> None:
    (tmp_path / "public.yml").symlink_to("/proc/self/mem")
    assert Setup.read({}, tmp_path).unsound != ()
