"""What one configuration changes in another."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from lasso_trio.config.profile import Chain, Profile, Provider
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.reload import ORDER, Changes, ReloadResult, diff
from lasso_trio.config.secret import SecretUrl

A = Provider("a", "A", "1:a:0", SecretUrl("https://a.example/secret-key"))
B = Provider("b", "B", "1:b:0", SecretUrl("https://b.example/"))
ONE = Chain("one", 1, "One", (A, B))
TWO = Chain("two", 2, "Two", (B,))
PUBLIC = Profile("public", "Public", (ONE, TWO))
BEFORE = ProfileSet.of([PUBLIC])


def after(chain: Chain = ONE, **fields: Any) -> ProfileSet:
    return ProfileSet.of([attrs.evolve(PUBLIC, chains=(chain, TWO), **fields)])


def test_the_same_configuration_changes_nothing_wherever_it_lies() -> None:
    assert diff(BEFORE, BEFORE) == Changes()
    assert not diff(BEFORE, after(source="elsewhere/public.yml"))


@pytest.mark.parametrize(
    ("new", "changes"),
    [
        (ProfileSet.of([PUBLIC, Profile("x", "X", (ONE,))]), Changes(added=("x",))),
        (ProfileSet.of([Profile("x", "X", (ONE,))]), Changes(added=("x",), removed=("public",))),
        (ProfileSet.of([attrs.evolve(PUBLIC, chains=(ONE,))]), Changes(removed=("public/two",))),
        (after(attrs.evolve(ONE, providers=(A,))), Changes(removed=("public/one/b",))),
        (after(rps_limit=7), Changes(changed={"public": ("rps_limit",)})),
        (after(attrs.evolve(ONE, name="Eins")), Changes(changed={"public/one": ("name",)})),
        (after(attrs.evolve(ONE, providers=(B, A))), Changes(changed={"public/one": (ORDER,)})),
        (
            after(attrs.evolve(ONE, providers=(attrs.evolve(A, priority=1, archival=False), B))),
            Changes(changed={"public/one/a": ("priority", "archival")}),
        ),
    ],
)
def test_it_names_the_smallest_part_that_is_another(new: ProfileSet, changes: Changes) -> None:
    assert diff(BEFORE, new) == changes
    assert diff(BEFORE, new)


def test_the_other_way_round_additions_are_removals() -> None:
    there = diff(BEFORE, after(attrs.evolve(ONE, providers=(A,))))
    back = diff(after(attrs.evolve(ONE, providers=(A,))), BEFORE)
    assert (back.added, back.removed) == (there.removed, there.added)


def test_people_read_names_and_never_values() -> None:
    new = attrs.evolve(A, url=SecretUrl("https://a.example/another-key"), instance_id="1:a:1")
    changes = diff(BEFORE, after(attrs.evolve(ONE, providers=(new,))))
    assert changes.lines() == ["- public/one/b", "~ public/one/a: instance_id, url"]
    assert "key" not in repr(changes)
    assert diff(ProfileSet.of([Profile("x", "X", (ONE,))]), BEFORE).lines() == ["+ public", "- x"]


def test_a_result_is_a_value() -> None:
    assert ReloadResult(True, 2) == ReloadResult(True, 2, Changes(), ())
