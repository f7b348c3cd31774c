from __future__ import annotations

from math import inf

from lasso_trio.routing.sessions import Sessions


def key(name: str, profile: str = "default", chain_id: int = 1) -> tuple[str, int, str]:
    return (profile, chain_id, name)


def test_a_session_remembers_the_highest_block_it_was_shown() -> None:
    sessions = Sessions()
    for height in (5, 9, 7):
        sessions.get(key("s"), 0.0).show(height)
    assert sessions.get(key("s"), 1.0).shown == 9


def test_and_the_highest_that_each_instance_told() -> None:
    session = Sessions().get(key("s"), 0.0)
    for instance, height in (("a", 5), ("a", 4), ("b", 3)):
        session.hear(instance, height, 10.0 - height)
    assert [session.told_by(each) for each in ("a", "b", "c")] == [(5, 6.0), (3, 7.0), (-1, -inf)]
    assert session.shown == 0


def test_sessions_of_one_name_in_other_profiles_and_chains_are_others() -> None:
    sessions = Sessions()
    sessions.get(key("s"), 0.0).show(5)
    assert [sessions.get(each, 0.0).shown for each in (key("t"), key("s", "team"), key("s", chain_id=10))] == [0, 0, 0]


def test_a_session_is_forgotten_when_it_was_idle_for_too_long() -> None:
    sessions = Sessions(idle_s=10)
    sessions.get(key("s"), 0.0).show(5)
    assert sessions.get(key("s"), 10.0).shown == 5
    assert sessions.get(key("s"), 20.0).shown == 5
    assert sessions.get(key("s"), 30.1).shown == 0


def test_a_look_at_a_session_is_no_use_of_it() -> None:
    sessions = Sessions(idle_s=10)
    assert (sessions.peek(key("s"), 0.0).shown, len(sessions)) == (0, 0)
    sessions.get(key("s"), 0.0).show(5)
    assert [sessions.peek(key("s"), now).shown for now in (1.0, 10.0, 10.1)] == [5, 5, 0]
    assert sessions.peek(key("s"), 1.0, era=1).shown == 0
    assert sessions.get(key("s"), 10.1).shown == 0


def test_idle_sessions_leave_when_anybody_comes() -> None:
    sessions = Sessions(idle_s=10)
    for i in range(50):
        sessions.get(key(f"s{i}"), 0.0)
    sessions.get(key("new"), 11.0)
    assert len(sessions) == 1


def test_the_one_used_longest_ago_leaves_when_there_are_too_many() -> None:
    sessions = Sessions(most=2)
    for name in ("a", "b"):
        sessions.get(key(name), 0.0).show(5)
    sessions.get(key("a"), 1.0)
    sessions.get(key("c"), 2.0)
    assert len(sessions) == 2
    assert sessions.get(key("a"), 3.0).shown == 5
    assert sessions.get(key("b"), 4.0).shown == 0


def test_a_chain_that_was_set_back_sets_its_sessions_back() -> None:
    sessions = Sessions()
    sessions.get(key("s"), 0.0, era=0).show(5)
    assert sessions.get(key("s"), 0.0, era=1).shown == 0
    assert len(sessions) == 1
