from __future__ import annotations

from threading import Thread

import pytest
import structlog
from structlog.testing import capture_logs

from lasso_trio.dashboard import issues as module
from lasso_trio.dashboard.issues import IssueLog, Sight
from tests.dashboard.boards import KEY


def test_the_logs_events_are_heard_while_it_listens() -> None:
    issues, log = IssueLog(), structlog.get_logger("x")
    with capture_logs() as seen, issues.listening():
        log.warning(
            "breaker.changed", before="closed", after="open", reason="timeout", instance="1:a:0", transport="http"
        )
        log.info("something.else")
    log_after = len(issues.kept)
    (issue,) = issues.kept
    assert (issue.kind, issue.level, issue.instance, log_after) == ("breaker", "warning", "1:a:0", 1)
    assert issue.text == "breaker of 1:a:0 (http): closed → open, timeout"
    assert len(seen) <= 2


def test_when_it_ceases_to_listen_the_log_is_as_before() -> None:
    before = list(structlog.get_config()["processors"])
    with IssueLog().listening():
        assert len(structlog.get_config()["processors"]) == len(before) + 1
    assert structlog.get_config()["processors"] == before
    with IssueLog().listening():
        structlog.get_config()["processors"].pop(0)
    assert structlog.get_config()["processors"] == before


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("quota.used_up", "cooldown"),
        ("child.crashed", "supervision"),
        ("config.rejected", "config"),
        ("stream.gap", "stream"),
        ("node.ready", "node"),
    ],
)
def test_every_event_has_its_kind(event: str, kind: str) -> None:
    issues = IssueLog()
    issues.add(event, "exception", {"exc_info": ValueError("x")})
    (issue,) = issues.kept
    assert (issue.kind, issue.level, issue.fields) == (kind, "error", {})


@pytest.mark.parametrize("event", ["rpc.request.completed", "keeper.connected", "worker.started", "trio.other", ""])
def test_what_is_no_issue_is_passed_over(event: str) -> None:
    issues = IssueLog()
    issues.add(event, "info", {})
    assert not issues.kept


@pytest.mark.parametrize(
    ("event", "level", "kind"),
    [
        ("rpc.handler.crashed", "exception", "accident"),
        ("rpc.answer.broken", "warning", "accident"),
        ("batch.call_crashed", "error", "accident"),
        ("ws.message_crashed", "error", "accident"),
        ("afterwork.crashed", "error", "accident"),
        ("hypercorn.error", "error", "accident"),
        ("shared.down", "warning", "cluster"),
        ("limits.alone", "warning", "cluster"),
        ("cluster.dns_failed", "warning", "cluster"),
        ("worker.hangs", "error", "worker"),
        ("standby.died", "warning", "worker"),
        ("bus.dropped", "warning", "worker"),
        ("access.keys_not_fetched", "warning", "access"),
        ("dashboard.login_refused", "warning", "access"),
        ("traces.dropped", "warning", "telemetry"),
        ("log.dropped", "warning", "telemetry"),
    ],
)
def test_what_tells_of_trouble_is_kept_and_what_goes_well_with_it_is_not(event: str, level: str, kind: str) -> None:
    issues = IssueLog()
    issues.add(event, level, {})
    issues.add(event, "info", {})
    assert [issue.kind for issue in issues.kept] == [kind]


def test_a_clients_own_deadline_is_no_issue() -> None:
    issues = IssueLog()
    issues.add("rpc.answer.broken", "warning", {"reason": 'OutOfTime("the client\'s deadline passed")'})
    assert not issues.kept
    issues.add("rpc.request.completed", "warning", {})
    assert not issues.kept


MINUTE = 60_000_000_000


def seqs(issues: IssueLog, event: str) -> list[int]:
    return [issue.seq for issue in issues.kept if issue.event == event]


def test_of_a_trouble_of_every_call_no_more_than_so_many_a_minute_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    issues = IssueLog()
    monkeypatch.setattr(module, "time_ns", lambda: 7 * MINUTE)
    for _ in range(500):
        issues.add("rpc.handler.crashed", "error", {})
        issues.add("ws.call_crashed", "error", {})
    assert (len(issues.kept), issues.last_seq) == (2 * module.MOST_ALIKE, 2 * module.MOST_ALIKE)
    monkeypatch.setattr(module, "time_ns", lambda: 8 * MINUTE)
    issues.add("rpc.handler.crashed", "error", {})
    assert issues.last_seq == 2 * module.MOST_ALIKE + 1


def test_a_trouble_that_lasts_for_hours_loses_its_own_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    issues, minutes = IssueLog(), iter(range(1_000_000))
    monkeypatch.setattr(module, "time_ns", lambda: next(minutes) * MINUTE)
    issues.add("breaker.changed", "warning", {"instance": "1:a:0"})
    issues.add("shared.down", "warning", {})
    for _ in range(10 * module.KEPT):
        issues.add("dashboard.login_refused", "warning", {})
    assert (seqs(issues, "breaker.changed"), seqs(issues, "shared.down")) == ([1], [2])
    last = issues.last_seq
    assert seqs(issues, "dashboard.login_refused") == list(range(last - module.MOST_ALIKE + 1, last + 1))


def test_what_other_workers_log_again_and_again_is_bounded_as_well() -> None:
    issues, other = IssueLog(), IssueLog()
    issues.add("breaker.changed", "warning", {"instance": "1:a:0"})
    other.add("afterwork.crashed", "error", {})
    for worker in range(2 * module.KEPT):
        issues.adopt(other.kept[0], worker)
    assert [issue.worker for issue in issues.kept if issue.event == "afterwork.crashed"] == list(
        range(2 * module.KEPT - module.MOST_ALIKE, 2 * module.KEPT)
    )
    assert seqs(issues, "breaker.changed") == [1]


def test_however_many_troubles_there_are_half_of_the_ring_is_for_the_rest() -> None:
    issues = IssueLog()
    for number in range(module.KEPT // 2):
        issues.add("cooldown.begun", "warning", {"instance": f"1:{number}:0"})
    for number in range(module.KEPT):
        issues.add(f"ws.other{number}", "warning", {})
    assert len(seqs(issues, "cooldown.begun")) == module.KEPT // 2
    assert [issue.event for issue in issues.kept][-module.MOST_TROUBLES :] == [
        f"ws.other{number}" for number in range(module.KEPT - module.MOST_TROUBLES, module.KEPT)
    ]


def test_what_is_about_another_profile_or_chain_is_not_seen() -> None:
    issues, here = IssueLog(), Sight("public", frozenset({"eth"}))
    for profile, chain in (("public", "eth"), ("public", "base"), ("mine", "eth")):
        issues.add("failover", "info", {"profile": profile, "chain": chain, "count": 1})
        issues.add("stream.gap", "warning", {"stream": f"{profile} {chain} newHeads", "first": 1, "last": 2})
    assert [(issue["seq"], issue["chain"]) for issue in issues.rows(here, 10)] == [(1, "eth"), (2, "eth")]
    assert issues.troubles(here, 60.0) == 1
    issues.add("child.crashed", "error", {})
    assert len(issues.rows(here, 10)) == 3


def test_keys_are_masked_in_texts_and_fields() -> None:
    issues = IssueLog()
    issues.add(
        "keeper.ended", "warning", {"instance": "1:a:0", "reason": f"wss://a.example/{KEY}", "said": f"?key={KEY}"}
    )
    issues.add("probe.other", "warning", {"what": f"Bearer {KEY}", "n": 1})
    assert KEY not in str(issues.rows(None, 10))
    assert "n 1" in issues.kept[1].text


def test_a_text_without_its_parts_is_said_as_it_came() -> None:
    issues = IssueLog()
    issues.add("cooldown.begun", "warning", {"seconds": 3})
    issues.add("cooldown.begun", "warning", {})
    assert [issue.text for issue in issues.kept] == ["cooldown.begun: seconds 3", "cooldown.begun"]


def test_a_reader_sees_what_is_about_its_instances_and_about_nobody() -> None:
    issues = IssueLog()
    for instance in ("1:a:0", "1:b:0"):
        issues.add("cooldown.begun", "warning", {"instance": instance, "transport": "http", "seconds": 1})
    issues.add("node.draining", "info", {})
    assert [row["seq"] for row in issues.rows(Sight("public", instances=frozenset({"1:a:0"})), 10)] == [1, 3]
    assert [row["seq"] for row in issues.rows(None, 2)] == [2, 3]
    assert [row["seq"] for row in issues.about("1:b:0", 10)] == [2]


def test_troubles_are_counted_for_a_while() -> None:
    issues = IssueLog()
    issues.add("cooldown.begun", "warning", {"instance": "1:a:0"})
    issues.add("breaker.changed", "info", {"instance": "1:a:0"})
    issues.add("child.crashed", "error", {})
    assert (issues.troubles(None, 60.0), issues.troubles(Sight("public"), 60.0), issues.troubles(None, 0.0)) == (
        2,
        1,
        0,
    )
    assert issues.rows(None, 1)[0]["at"].endswith("Z")


def test_memory_is_bounded() -> None:
    issues = IssueLog()
    for _ in range(500):
        issues.add("node.ready", "info", {})
    assert (len(issues.kept), issues.last_seq) == (module.KEPT, 500)


def test_other_threads_may_log_while_it_is_read() -> None:
    issues, go_on = IssueLog(), True

    def log() -> None:
        while go_on:
            issues.add("child.crashed", "error", {})

    threads = [Thread(target=log) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(200):
            issues.troubles(Sight("public"), 60.0)
            issues.own_since(0)
    finally:
        go_on = False
        for thread in threads:
            thread.join()
    seqs = [issue.seq for issue in issues.kept]
    assert seqs == list(range(issues.last_seq - len(seqs) + 1, issues.last_seq + 1))
