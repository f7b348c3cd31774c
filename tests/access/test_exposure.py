from __future__ import annotations

from ipaddress import ip_network

import pytest
from structlog.testing import capture_logs

from lasso_trio.access.exposure import warn, warning
from lasso_trio.config.access import OPEN, AccessPolicy, Auth, Names
from lasso_trio.config.profile import Profile
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.settings import Mode, Settings

KEPT = AccessPolicy(Auth())


def profiles(*policies: AccessPolicy) -> ProfileSet:
    return ProfileSet.of([Profile(f"p{n}", f"P{n}", (), access=policy) for n, policy in enumerate(policies)])


def node(host: str = "0.0.0.0", mode: Mode = Mode.PROD, listen: bool = True) -> Settings:
    return Settings(host=host, mode=mode, listen=listen)


def test_a_public_node_in_production_names_the_profiles_that_are_open() -> None:
    assert "can call profile 'p1'" in (warning(node(), profiles(KEPT, OPEN)) or "")
    assert "can call profiles 'p0', 'p1'" in (warning(node("::"), profiles(OPEN, OPEN)) or "")
    assert warning(node("node.example"), profiles(AccessPolicy(methods=Names(()))))


@pytest.mark.parametrize(
    ("settings", "policy"),
    [
        (node(), KEPT),
        (node(), AccessPolicy(networks=(ip_network("10.0.0.0/8"),))),
        (node("127.0.0.1"), OPEN),
        (node("[::1]"), OPEN),
        (node("localhost"), OPEN),
        (node(mode=Mode.DEV), OPEN),
        (node(listen=False), OPEN),
    ],
)
def test_otherwise_nothing_is_said(settings: Settings, policy: AccessPolicy) -> None:
    assert warning(settings, profiles(policy)) is None


def test_it_is_said_as_a_warning() -> None:
    with capture_logs() as logs:
        warn(node(), None, profiles(OPEN))
        warn(node(), None, profiles(KEPT))
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("access.open", "warning")]


def test_a_reload_that_opens_a_profile_says_so_and_one_that_changes_nothing_of_it_does_not() -> None:
    with capture_logs() as logs:
        warn(node(), profiles(KEPT, OPEN), profiles(KEPT, OPEN))
        warn(node(), profiles(OPEN), profiles(KEPT))
        assert logs == []
        warn(node(), profiles(KEPT, OPEN), profiles(OPEN, OPEN))
    assert [entry["event"] for entry in logs] == ["access.open"]
