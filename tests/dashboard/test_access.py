from __future__ import annotations

from typing import Any

import pytest
from itsdangerous import TimestampSigner

from lasso_trio.config.secret import Secret
from lasso_trio.config.settings import Mode, Settings
from lasso_trio.dashboard.access import SESSION_S, Access, warning

BASE = Secret("b" * 64)
PASSWORD = "correct horse"


def access(**settings: Any) -> Access:  # noqa: ANN401
    return Access.of(Settings(**{"secret_key_base": BASE, "dashboard_password": Secret(PASSWORD), **settings}))


def entered(door: Access, name: str = "", password: str = PASSWORD) -> str:
    cookie = door.login(name, password)
    assert cookie is not None
    return cookie


def test_without_users_everybody_may_look() -> None:
    door = access(dashboard_password=None)
    assert door.is_open
    assert door.permits("")
    assert not access().permits("")


def test_who_knows_the_password_gets_a_session() -> None:
    door = access()
    assert door.permits(entered(door))
    assert door.user(entered(door)) == ""
    assert not door.named


@pytest.mark.parametrize(
    ("name", "password"), [("", "wrong"), ("", ""), ("ann", PASSWORD), ("", PASSWORD + "x"), ("", "\ud800")]
)
def test_who_does_not_gets_none(name: str, password: str) -> None:
    assert access().login(name, password) is None


def test_people_have_passwords_of_their_own() -> None:
    door = access(dashboard_password=None, dashboard_users={"ann": Secret("ann's word"), "bob": Secret("bob's word")})
    assert door.named
    assert door.user(entered(door, "ann", "ann's word")) == "ann"
    assert door.login("ann", "bob's word") is None
    assert door.login("", "ann's word") is None


def test_a_session_outlives_the_process_if_there_is_a_key() -> None:
    cookie = entered(access())
    assert access().permits(cookie)
    assert not access(secret_key_base=None).permits(cookie)
    assert not access(secret_key_base=Secret("c" * 64)).permits(cookie)


def test_a_new_password_ends_the_sessions_of_the_old() -> None:
    cookie = entered(access())
    assert not access(dashboard_password=Secret("another one")).permits(cookie)
    assert not access(dashboard_password=None, dashboard_users={"ann": Secret(PASSWORD)}).permits(cookie)


def test_a_session_ends_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    door = access()
    cookie, now = entered(door), TimestampSigner("k").get_timestamp()
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: now + SESSION_S - 10)
    assert door.permits(cookie)
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _: now + SESSION_S + 10)
    assert not door.permits(cookie)


@pytest.mark.parametrize("told", [7, ["", 1], ["x"], {"u": 1}, None])
def test_what_is_signed_but_no_session_is_refused(told: object) -> None:
    door = access()
    assert not door.permits(str(door._signer.dumps(told)))


def test_a_cookie_that_was_touched_is_refused() -> None:
    door = access()
    cookie = entered(door)
    for place in (0, len(cookie) // 2, len(cookie) - 10):
        other = "A" if cookie[place] != "A" else "B"
        assert not door.permits(cookie[:place] + other + cookie[place + 1 :])
    assert not door.permits("x" * 5000)


def test_neither_key_nor_passwords_are_seen() -> None:
    assert PASSWORD not in repr(access())
    assert "bbbb" not in repr(access())


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ({"mode": Mode.PROD, "host": "0.0.0.0"}, True),
        ({"mode": Mode.PROD, "host": "rpc.example"}, True),
        ({"mode": Mode.PROD, "host": "127.0.0.1"}, False),
        ({"mode": Mode.PROD, "host": "localhost"}, False),
        ({"mode": Mode.PROD, "host": "::1"}, False),
        ({"mode": Mode.DEV, "host": "0.0.0.0"}, False),
        ({"mode": Mode.PROD, "host": "0.0.0.0", "dashboard": False}, False),
        ({"mode": Mode.PROD, "host": "0.0.0.0", "dashboard_password": Secret("x")}, False),
        ({"mode": Mode.PROD, "host": "0.0.0.0", "dashboard_users": {"a": Secret("x")}}, False),
    ],
)
def test_an_open_dashboard_in_public_is_warned_of(settings: dict[str, Any], warned: bool) -> None:
    words = warning(Settings(**settings))
    assert (words is not None) is warned
    if words:
        assert "LASSO_DASHBOARD_PASSWORD" in words
