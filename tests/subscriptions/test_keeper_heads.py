"""What a keeper tells its instance's head, and when it takes a provider for asleep. In virtual time."""

from __future__ import annotations

import attrs
import pytest
import trio
from structlog.testing import capture_logs

from lasso_trio.config.profile import ErrorRule
from lasso_trio.config.secret import SecretUrl
from lasso_trio.devnet import Faults
from lasso_trio.devnet.faults import Failure, Kind
from lasso_trio.providers.branch import Branch
from lasso_trio.providers.probe_answer import Kind as AnswerKind
from lasso_trio.providers.probe_schedule import Question
from lasso_trio.subscriptions.feed import Feed
from lasso_trio.subscriptions.keeper_heads import AGAIN_S, HeadWatch, Terms, ask, read_header
from lasso_trio.upstream.faults import Disconnected
from lasso_trio.upstream.websocket import ws_endpoint
from lasso_trio.upstream.ws_link import WsLink
from tests.subscriptions.upstreams import BLOCK_S, KEY, START, Upstream, until_connected, until_lost, wall

POLLS = Terms(new_heads=False, poll_s=4.0)


@pytest.fixture
def upstream(nursery: trio.Nursery) -> Upstream:
    return Upstream.make(nursery)


def test_a_header_is_read_for_height_and_time() -> None:
    assert read_header(b'{"hash":"0x00","number":"0x10","timestamp":"0x20"}') == (16, 32)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"null",
        b"[]",
        b'{"number":"0x10"}',
        b'{"number":16,"timestamp":"0x20"}',
        b'{"number":"ten","timestamp":"0x20"}',
        b'{"number":"-0x1","timestamp":"0x20"}',
        b'{"number":"0x1","timestamp":"-0x20"}',
        b'{"number":"0xffffffffffffffffff","timestamp":"0x20"}',
    ],
)
def test_what_is_no_header_says_nothing(text: bytes) -> None:
    assert read_header(text) is None


async def test_each_new_head_is_known_when_it_is_told(autojump_clock: object, upstream: Upstream) -> None:
    keeper = upstream.keeper()
    await until_connected(keeper)
    for height in range(1, 4):
        await trio.sleep(upstream.node.chain.next_block_at(trio.current_time()) - trio.current_time() + 0.01)
        assert keeper.head.height == START + height
        assert trio.current_time() - keeper.head.at < 0.1
        assert keeper.head.age_s is not None
        assert abs(keeper.head.age_s) < 1
    assert upstream.node.calls["eth_blockNumber"] == 0


async def test_without_news_it_polls_where_the_profile_wants_none(autojump_clock: object, upstream: Upstream) -> None:
    keeper = upstream.keeper(terms=POLLS)
    await until_connected(keeper)
    await trio.sleep(9)
    assert keeper.head.height == START + 4
    assert (upstream.node.calls["eth_blockNumber"], upstream.node.calls["eth_subscribe"]) == (3, 0)


async def test_alone_it_polls_as_well_because_a_height_must_be_fresh_to_count(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    upstream = Upstream.make(nursery)
    upstream.node.chain.block_time = None
    keeper = upstream.keeper(alone=True, terms=Terms(poll_s=12.0, timeout_s=600))
    await until_connected(keeper)
    await trio.sleep(100)
    assert keeper.head.height == START
    assert keeper.head.fresh(trio.current_time())
    assert (upstream.node.calls["eth_subscribe"], upstream.node.calls["eth_blockNumber"]) == (1, 9)


async def test_it_polls_where_the_provider_has_none(autojump_clock: object, nursery: trio.Nursery) -> None:
    upstream = Upstream.make(nursery, Faults(missing_methods=("eth_subscribe",)))
    with capture_logs() as logs:
        keeper = upstream.keeper(terms=Terms(poll_s=4.0))
        await trio.sleep(60)
    assert (keeper.connected, keeper.sessions) == (True, 1)
    assert keeper.head.height is not None
    assert [line["event"] for line in logs].count("keeper.no_new_heads") == 1


@pytest.mark.parametrize(
    ("message", "after_s", "listens"),
    [
        ("rate limit exceeded", AGAIN_S, True),
        ("rate limit, try again in 90s", 90.0, True),
        ("no such thing", 90.0, False),
    ],
)
async def test_heads_that_were_refused_for_now_are_asked_for_again(
    autojump_clock: object, nursery: trio.Nursery, message: str, after_s: float, listens: bool
) -> None:
    refusal = Failure(Kind.RPC, methods=("eth_subscribe",), code=-32000, message=message, times=1)
    upstream = Upstream.make(nursery, Faults(failures=(refusal,)))
    keeper = upstream.keeper(terms=Terms(poll_s=4.0))
    await until_connected(keeper)
    await trio.sleep(after_s - 1)
    assert upstream.node.calls["eth_subscribe"] == 1
    await trio.sleep(2)
    assert upstream.node.calls["eth_subscribe"] == 1 + listens
    polls = upstream.node.calls["eth_blockNumber"]
    await trio.sleep(20)
    assert (upstream.node.calls["eth_blockNumber"] == polls) == listens
    assert (keeper.connected, keeper.sessions, keeper.head.fresh(trio.current_time())) == (True, 1, True)


async def test_heads_that_were_refused_for_now_and_are_not_wanted_any_more_are_polled_for_at_the_usual_pace(
    autojump_clock: object, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusal = Failure(Kind.RPC, methods=("eth_subscribe",), code=-32000, message="rate limit exceeded", times=1)
    upstream = Upstream.make(nursery, Faults(failures=(refusal,)))
    rounds, watch = [0], HeadWatch._watch

    async def counted(self: HeadWatch, feed: Feed | None) -> None:
        rounds[0] += 1
        assert rounds[0] < 100, "it spins, and no time passes"
        await watch(self, feed)

    monkeypatch.setattr(HeadWatch, "_watch", counted)
    keeper = upstream.keeper(terms=Terms(poll_s=4.0))
    await until_connected(keeper)
    await trio.sleep(AGAIN_S / 2)
    keeper.terms = POLLS
    await trio.sleep(AGAIN_S)
    polls = upstream.node.calls["eth_blockNumber"]
    await trio.sleep(40)
    assert upstream.node.calls["eth_blockNumber"] - polls == 10
    assert (upstream.node.calls["eth_subscribe"], keeper.sessions) == (1, 1)


async def test_a_refusal_of_heads_is_logged_without_our_key(autojump_clock: object, nursery: trio.Nursery) -> None:
    refusal = Failure(Kind.RPC, methods=("eth_subscribe",), message=f"project {KEY} may not subscribe")
    upstream = Upstream.make(nursery, Faults(failures=(refusal,)))
    with capture_logs() as logs:
        await until_connected(upstream.keeper())
        await trio.sleep(1)
    assert [line["said"] for line in logs if line["event"] == "keeper.no_new_heads"] == [
        "-32603: project *** may not subscribe"
    ]


async def test_who_does_not_answer_two_polls_is_asleep(autojump_clock: object, upstream: Upstream) -> None:
    keeper = upstream.keeper(terms=POLLS)
    await until_connected(keeper)
    upstream.node.set_faults(Faults(failures=(Failure(Kind.HANG, methods=("eth_blockNumber",)),)))
    await until_lost(keeper)
    await until_connected(keeper)
    assert keeper.last_ending is not None
    assert keeper.last_ending.reason == "silent"


async def test_what_the_profiles_say_of_an_error_decides_whether_a_poll_is_missed(
    autojump_clock: object, nursery: trio.Nursery
) -> None:
    strange = Failure(Kind.RPC, methods=("eth_blockNumber",), code=-32603, message="teapot")
    rules = (ErrorRule("capability_violation", message_contains=("teapot",)),)
    upstream = Upstream.make(nursery, Faults(failures=(strange,)))
    patient = upstream.keeper(terms=attrs.evolve(POLLS, error_rules=rules))
    plain = upstream.keeper(terms=POLLS)
    await trio.sleep(60)
    assert patient.sessions == 1
    assert plain.sessions > 1


async def test_one_poll_without_an_answer_is_an_accident(autojump_clock: object, nursery: trio.Nursery) -> None:
    upstream = Upstream.make(nursery, Faults(failures=(Failure(Kind.HANG, methods=("eth_blockNumber",), times=1),)))
    keeper = upstream.keeper(terms=POLLS)
    await trio.sleep(60)
    assert keeper.sessions == 1


async def test_a_chain_that_stands_still_is_no_silence(autojump_clock: object, nursery: trio.Nursery) -> None:
    upstream = Upstream.make(nursery)
    keeper = upstream.keeper(terms=Terms(timeout_s=10))
    await until_connected(keeper)
    await trio.sleep(3 * BLOCK_S)
    upstream.node.chain.block_time = None
    await trio.sleep(100)
    assert keeper.sessions == 1
    assert 5 <= upstream.node.calls["eth_blockNumber"] <= 12


async def test_a_subscription_that_is_not_answered_is_silence(autojump_clock: object, nursery: trio.Nursery) -> None:
    upstream = Upstream.make(nursery, Faults(failures=(Failure(Kind.HANG, methods=("eth_subscribe",)),)))
    keeper = upstream.keeper()
    await until_connected(keeper)
    await until_lost(keeper)
    await until_connected(keeper)
    assert keeper.last_ending is not None
    assert keeper.last_ending.reason == "mute"


async def test_a_question_over_a_lost_link_is_answered_with_the_fault() -> None:
    link = WsLink(ws_endpoint(SecretUrl("ws://a/"), {}))
    link.lose(Disconnected("closed"))
    answer = await ask(link, Question.HEIGHT, wall)
    assert (answer.kind, "closed" in answer.words) == (AnswerKind.FAILED, True)


async def test_who_must_know_blocks_by_hash_hears_each_header(autojump_clock: object, upstream: Upstream) -> None:
    keeper, branch = upstream.keeper(), Branch()
    keeper.head.branches.add(branch)
    await until_connected(keeper)
    await trio.sleep(2.5 * BLOCK_S)
    assert branch.tip is not None
    assert branch.tip.number == keeper.head.height
    assert branch.hash_of(branch.tip.number - 1) == branch.tip.parent
    keeper.head.lose()
    assert branch.tip is None
