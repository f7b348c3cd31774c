"""The per-call line: its schema, its sampling, and what clients and providers cannot do to it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasso_trio.routing.outcome import Missed
from lasso_trio.telemetry.call_record import (
    FAILOVERS_PER_S,
    SLOW_S,
    CallLog,
    CallRecord,
    CallScope,
    encode_candidates,
    json_line,
    pretty_line,
    timestamp,
)
from lasso_trio.telemetry.log import LEVELS, Log
from lasso_trio.telemetry.sink import LogSink

SCOPE = CallScope("public", "fastest", "ethereum", 1, encode_candidates(["drpc", 'pub"node']))


def record(**changes: object) -> CallRecord:
    good = CallRecord(
        SCOPE, "req-1", "http", "eth_getBlockByNumber", True, "drpc", "http", "fastest_available", 0, "closed",
        0.000_021_4, 0.012_345_6, 0.013_1, ord("{"), 1234, ended_ns=1_793_000_000_123_456_789,
    )  # fmt: skip
    return msgspec.structs.replace(good, **changes)


def test_a_good_call_in_the_documented_schema() -> None:
    assert msgspec.json.decode(json_line(record())) == {
        "event": "rpc.request.completed",
        "timestamp": "2026-10-26T07:33:20.123Z",
        "level": "info",
        "request_id": "req-1",
        "profile": "public",
        "strategy": "fastest",
        "chain": "ethereum",
        "chain_id": 1,
        "transport": "http",
        "jsonrpc_method": "eth_getBlockByNumber",
        "params_present": True,
        "routing": {
            "candidate_providers": ["drpc", 'pub"node'],
            "selected_provider": {"id": "drpc", "protocol": "http"},
            "selection_reason": "fastest_available",
            "retries": 0,
            "circuit_breaker_state": "closed",
        },
        "timing": {"selection_latency_ms": 0.021, "upstream_latency_ms": 12.345, "end_to_end_latency_ms": 13.1},
        "response": {"status": "success", "result_type": "object", "result_size_bytes": 1234},
    }


def test_a_raced_call_says_so_and_others_do_not() -> None:
    routing = msgspec.json.decode(json_line(record(hedges=1, hedge_won=True)))["routing"]
    assert (routing["hedges"], routing["hedge_won"]) == (1, True)
    assert "hedges" not in msgspec.json.decode(json_line(record()))["routing"]


def test_a_call_that_failed_over_says_from_whom_and_why_and_is_a_warning() -> None:
    line = msgspec.json.decode(json_line(record(retries=1, missed=(Missed("slow", "ws", "rate_limit"),))))
    assert (line["level"], line["routing"]["retries"]) == ("warning", 1)
    assert line["routing"]["failed_attempts"] == [{"id": "slow", "protocol": "ws", "category": "rate_limit"}]
    assert "failed_attempts" not in msgspec.json.decode(json_line(record()))["routing"]


def test_a_call_that_was_only_asked_again_because_an_answer_was_behind_is_no_warning() -> None:
    line = msgspec.json.decode(json_line(record(retries=2, behind=2)))
    assert (line["level"], line["routing"]["retries"], line["routing"]["behind"]) == ("info", 2, 2)
    assert msgspec.json.decode(json_line(record(retries=2, behind=1)))["level"] == "warning"
    assert "behind" not in msgspec.json.decode(json_line(record()))["routing"]


def test_an_error_is_masked_before_it_is_cut() -> None:
    failed = record(error_message="x" * 245 + " Bearer " + "q" * 40, error_category="network_error")
    assert "q" not in msgspec.json.decode(json_line(failed))["response"]["error"]["message"]
    assert b"q" not in pretty_line(failed).partition(b"network_error")[2].partition(b"  fastest")[0]


def test_a_client_finds_the_longest_id_that_it_may_send() -> None:
    longest = "i" * 200
    assert longest.encode() in json_line(record(request_id=longest))
    assert longest.encode() in pretty_line(record(request_id=longest))


def test_a_failed_call_names_its_error_and_is_a_warning() -> None:
    failed = record(
        provider=None, protocol=None, result_byte=0, result_size=0, error_code=-32000,
        error_message="no route to https://eth.example/v3/HIDDEN", error_category="network_error",
    )  # fmt: skip
    line = msgspec.json.decode(json_line(failed))
    assert line["level"] == "warning"
    assert line["routing"]["selected_provider"] is None
    assert line["response"] == {
        "status": "error",
        "error": {"code": -32000, "message": "no route to https://eth.example/***", "category": "network_error"},
    }


def test_a_slow_call_is_a_warning() -> None:
    assert msgspec.json.decode(json_line(record(total_s=SLOW_S + 0.1)))["level"] == "warning"


@pytest.mark.parametrize(
    ("text", "kind"),
    [('"a"', "string"), ("{}", "object"), ("[]", "array"), ("true", "boolean"), ("false", "boolean"), ("null", "null"),
     ("-1", "number"), ("7", "number")],
)  # fmt: skip
def test_the_result_type_comes_from_its_first_byte(text: str, kind: str) -> None:
    assert msgspec.json.decode(json_line(record(result_byte=ord(text[0]))))["response"]["result_type"] == kind


@given(st.integers(0, 4_000_000_000_000))
def test_the_timestamp_is_utc_cut_to_the_millisecond(ms: int) -> None:
    expected = datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)
    assert timestamp(ms * 1_000_000 + 999_999) == expected.isoformat(timespec="milliseconds").replace("+00:00", "Z")


anything = st.text(st.characters(exclude_categories=[]), max_size=400)


@given(anything, anything, anything)
def test_whatever_clients_and_providers_send_it_is_one_bounded_line(method: str, request_id: str, message: str) -> None:
    odd = record(method=method, request_id=request_id, error_message=message, error_category="unknown_error")
    for line in (json_line(odd), pretty_line(odd)):
        assert line.count(b"\n") == 1
        assert line.endswith(b"\n")
        assert len(line) < 12_000
        assert b"\x1b" not in line


def test_a_lone_surrogate_in_a_name_is_written_out() -> None:
    line = msgspec.json.decode(json_line(record(method="eth_\ud800", request_id="\udfff")))
    assert (line["jsonrpc_method"], line["request_id"]) == ("eth_\\ud800", "\\udfff")


def test_a_person_sees_who_answered_what_and_how_long_it_took() -> None:
    text = pretty_line(record()).decode()
    assert re.fullmatch(
        r"07:33:20\.123 info    eth_getBlockByNumber +ethereum +drpc/http +13\.100 ms  1234 B  "
        r"fastest_available  id req-1\n",
        text,
    )


def test_a_person_sees_who_failed_before_and_what_the_call_is_found_by() -> None:
    missed = (Missed("slow", "ws", "rate_limit"), Missed("b", "http", "timeout"))
    text = pretty_line(record(retries=2, missed=missed, trace_id="0af7", selection_reason="failover", client="bob"))
    assert b" drpc/http +2 " in text
    ending = "failover after slow/ws rate_limit, b/http timeout  id req-1  trace 0af7  by bob\n"
    assert text.decode().endswith(ending)


def test_pretty_lines_are_aligned() -> None:
    lines = [
        pretty_line(record(method=method, provider=who)) for method in ("eth_call", "net_version") for who in ("a", "b")
    ]
    assert len({line.index(b" ms ") for line in lines}) == 1


class Caught(LogSink):
    def __init__(self) -> None:
        super().__init__(-1)
        self.items: list[object] = []

    def push(self, item: object) -> None:
        self.items.append(item)


def call_log(rate: float = 1.0, level: str = "info", pretty: bool = False) -> CallLog:
    return CallLog(Log(Caught(), pretty, LEVELS[level]), rate, Random(3))


@pytest.mark.parametrize(
    ("rate", "level", "good", "troubled"),
    [
        (1.0, "info", True, True),
        (1.0, "debug", True, True),
        (0.0, "info", False, True),
        (1.0, "warning", False, True),
        (1.0, "error", False, False),
    ],
)
def test_failed_and_slow_calls_are_always_wanted_unless_the_level_says_otherwise(
    rate: float, level: str, good: bool, troubled: bool
) -> None:
    log = call_log(rate, level)
    assert log.wants(False, 0.1) is good
    assert log.wants(True, 0.1) is troubled
    assert log.wants(False, SLOW_S + 0.1) is troubled


def test_calls_that_failed_over_are_kept_whatever_the_rate_but_so_many_in_a_second() -> None:
    log = call_log(0.0)
    assert [log.wants(False, 0.1, 1, 7.0) for _ in range(FAILOVERS_PER_S + 2)] == [True] * FAILOVERS_PER_S + [False] * 2
    assert log.wants(False, 0.1, 1, 8.5)
    assert not log.wants(False, 0.1, 0, 8.5)
    assert all(call_log(1.0).wants(False, 0.1, 1, 7.0) for _ in range(FAILOVERS_PER_S + 2))
    assert call_log(1.0, "warning").wants(False, 0.1, 1, 7.0)
    assert not call_log(1.0, "error").wants(False, 0.1, 1, 7.0)


def test_the_sample_rate_is_the_share_of_good_calls() -> None:
    log = call_log(0.25)
    assert sum(log.wants(False, 0.1) for _ in range(10_000)) == pytest.approx(2500, rel=0.1)


def test_pushing_stamps_the_record_with_the_time() -> None:
    sink = Caught()
    CallLog(Log(sink, False, 20)).push(record(ended_ns=0))
    (pushed,) = sink.items
    assert isinstance(pushed, CallRecord)
    assert pushed.ended_ns > 1_700_000_000_000_000_000


@pytest.mark.parametrize(("pretty", "begins"), [(False, b'{"event"'), (True, b"07:33:20.123 ")])
def test_the_writer_renders_in_the_format_of_the_log(pretty: bool, begins: bytes) -> None:
    sink = LogSink(-1)
    CallLog(Log(sink, pretty, 20))
    assert sink._render(record()).startswith(begins)
