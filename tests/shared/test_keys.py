from __future__ import annotations

import attrs

from lasso_trio.config.profile import Profile
from lasso_trio.routing.lease import Report
from lasso_trio.shared.keys import Keys, configuration_of, scope_of
from tests.shared.profiles import profile

KEYS = Keys("lasso")


def test_names_tell_clusters_configurations_and_limits_apart() -> None:
    report = Report("public", "192.0.2.7", 10, 5, 1.0, 1.0)
    names = [
        *(keys.entry(configuration, b"k") for keys in (KEYS, Keys("other")) for configuration in (b"a", b"b")),
        *(KEYS.era(b"a", scope) for scope in (b"public/1", b"public/2")),
        *(
            KEYS.bucket(attrs.evolve(report, **change))
            for change in ({}, {"rate": 11}, {"limit": "b"}, {"client": "c"})
        ),
    ]
    assert len(set(names)) == len(names)
    assert all(name.startswith((b"lasso:{lasso}:", b"lasso:{other}:")) for name in names)


def test_profiles_that_ask_the_same_upstreams_are_one_configuration() -> None:
    one: Profile = profile("http://127.0.0.1:1", "http://127.0.0.1:2")
    assert configuration_of(one) == configuration_of(profile("http://127.0.0.1:2", "http://127.0.0.1:1"))
    assert configuration_of(one) != configuration_of(profile("http://127.0.0.1:1"))
    assert configuration_of(one) != configuration_of(attrs.evolve(one, slug="other"))


def test_an_entrys_scope_is_before_the_first_zero() -> None:
    assert scope_of(b"public/1\x000\x00eth_call\x00[]") == b"public/1"
