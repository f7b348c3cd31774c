from __future__ import annotations

import attrs
import pytest

from lasso_trio.access.api_key import digest_of, made
from lasso_trio.check.client import is_let_in, limits_of
from lasso_trio.config.access import AccessPolicy, ApiKey, Auth, JwtPolicy, Terms
from lasso_trio.config.profile import Profile
from lasso_trio.config.secret import Secret, SecretUrl
from tests.access.token_maker import NOW, SECRET, token
from tests.check.conftest import World

KEY, POOR = made("wallet"), made("poor")
KEYS = (
    ApiKey("wallet", digest_of(KEY), Terms(7, 9)),
    ApiKey("poor", digest_of(POOR)),
)


@pytest.fixture
def profile(world: World) -> Profile:
    """20 a second and a burst of 100 for everybody else."""
    return attrs.evolve(world.facts.setup.profiles["public"], rps_limit=20, burst_limit=100)


def guarded(profile: Profile, jwt: JwtPolicy | None = None) -> Profile:
    return attrs.evolve(profile, access=AccessPolicy(Auth(KEYS, jwt)))


@pytest.mark.parametrize(
    ("headers", "limits"),
    [
        ({"x-lasso-api-key": KEY}, (7, 9)),
        ({"authorization": f"Bearer {KEY}"}, (7, 9)),
        ({"x-lasso-api-key": POOR}, (20, 100)),
        ({"x-lasso-api-key": made("wallet")}, (20, 100)),
        ({}, (20, 100)),
    ],
)
def test_a_key_has_its_own_limit_or_the_profiles(
    profile: Profile, headers: dict[str, str], limits: tuple[int, int]
) -> None:
    assert limits_of(guarded(profile), headers, NOW) == limits
    assert limits_of(profile, headers, NOW) == (20, 100)


def test_who_shows_a_good_key_is_let_in_and_everybody_where_none_is_asked_for(profile: Profile) -> None:
    assert is_let_in(profile, {}, NOW)
    assert is_let_in(guarded(profile), {"x-lasso-api-key": KEY}, NOW)
    assert not is_let_in(guarded(profile), {}, NOW)
    assert not is_let_in(guarded(profile), {"x-lasso-api-key": made("wallet")}, NOW)


def test_a_token_has_the_limit_that_it_tells(profile: Profile) -> None:
    here = guarded(profile, JwtPolicy(("HS256",), Secret(SECRET)))
    shown = {"authorization": f"Bearer {token(lasso={'rps': 3, 'burst': 4})}"}
    assert (is_let_in(here, shown, NOW), limits_of(here, shown, NOW)) == (True, (3, 4))
    assert not is_let_in(here, {"authorization": "Bearer x.y.z"}, NOW)


def test_a_token_that_only_the_node_can_check_is_believed_and_has_the_profiles_limit(profile: Profile) -> None:
    here = guarded(profile, JwtPolicy(("EdDSA",), jwks_url=SecretUrl("https://keys.example")))
    shown = {"authorization": "Bearer x.y.z"}
    assert (is_let_in(here, shown, NOW), limits_of(here, shown, NOW)) == (True, (20, 100))
    assert not is_let_in(here, {}, NOW)
