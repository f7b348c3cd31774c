"""A batch over a service that does as it is told: order, containment, preference, what is recorded."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import wait_all_tasks_blocked

from lasso_trio.config.profile import Chain, Profile, Provider, Strategy
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import SecretUrl
from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.jsonrpc.request import Request, decode
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.room import Room
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.service import Served, Wish
from lasso_trio.server.batch import BatchResult, run_batch
from lasso_trio.server.exchange import Exchange
from lasso_trio.server.routes import resolve
from lasso_trio.server.turns import Turns

Serve = Callable[[Request], Awaitable[Outcome]]


def said(result: bytes) -> Outcome:
    return Outcome(reply=Reply(b'{"id":', b',"result":%b}' % result, None, len(result), result[0]))


@attrs.define(eq=False)
class Puppet:
    """A service that answers as told, and remembers what it was asked for."""

    does: Serve
    asked: list[tuple[str, object, bool, float]] = attrs.field(factory=list)
    chosen_for: list[str] = attrs.field(factory=list)

    async def serve(
        self, chain: RoutedChain, wish: Wish, request: Request, now: float, *, stream: bool, prefer: object, room: Room
    ) -> Served:
        self.asked.append((request.method.name, prefer, stream, now))
        return Served(await self.does(request), Strategy.FASTEST)

    def choose(self, chain: RoutedChain, wish: Wish, request: Request, now: float) -> object:
        self.chosen_for.append(request.method.name)
        return "the preferred one"


@attrs.define(eq=False)
class Run:
    service: Puppet
    recorded: list[str] = attrs.field(factory=list)

    async def __call__(self, body: bytes, query: str = "", *more: Any) -> BatchResult:
        items = decode(body)
        assert isinstance(items, list)
        return await run_batch(self.service, self._record, _exchange(query), items, Room(1_000_000), *more)  # type: ignore[arg-type]

    def _record(self, exchange: Exchange, request: Request, served: Served, ended: float) -> None:
        assert ended >= exchange.started
        self.recorded.append(request.method.name)


def _exchange(query: str = "") -> Exchange:
    provider = Provider("alpha", "Alpha", "1:alpha:0", SecretUrl("http://alpha.invalid"))
    profile = Profile("public", "Public", (Chain("eth", 1, "Ethereum", (provider,)),))
    directory = Directory.of(ProfileSet.of([profile]), Registry(_no_pool))
    return Exchange(resolve(f"/rpc/eth{query}", {}, directory), "id", trio.current_time())


def _no_pool(_: object) -> Any:
    return None


async def one(_: Request) -> Outcome:
    return said(b"1")


def item(method: str, id_: bytes | None = b"1") -> bytes:
    return b'{"method":"%b"%b}' % (method.encode(), b"" if id_ is None else b',"id":%b' % id_)


def batch(*items: bytes) -> bytes:
    return b"[" + b",".join(items) + b"]"


async def test_answers_stand_in_the_order_of_the_requests(autojump_clock: trio.testing.MockClock) -> None:
    async def slower_first(request: Request) -> Outcome:
        await trio.sleep(10.0 - float(request.reply_id))
        return said(request.reply_id)

    result = await Run(Puppet(slower_first))(batch(*(item("eth_call", b"%d" % i) for i in range(8))))
    assert result.answers == [b'{"id":%d,"result":%d}' % (i, i) for i in range(8)]
    assert trio.current_time() == pytest.approx(10.0, abs=0.01)


async def test_each_answer_has_its_own_metadata_where_the_client_wants_it_there(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def slower_first(request: Request) -> Outcome:
        await trio.sleep(3.0 - float(request.id or 0))
        return said(b"1") if request.id != b"2" else Outcome(error=RpcError(-32000, "no"))

    body = batch(item("eth_call", b"1"), item("eth_getCode", b"2"), item("eth_subscribe", b"0"), item("eth_call", None))
    *called, refused, nothing = (await Run(Puppet(slower_first))(body, "?include_meta=body")).answers
    metas = [json.loads(answer or b"")["lasso_meta"] for answer in called]
    assert [round(meta["end_to_end_latency_ms"]) for meta in metas] == [2000, 1000]
    assert b"lasso_meta" not in (refused or b"")
    assert nothing is None
    plain = await Run(Puppet(slower_first))(body, "?include_meta=headers")
    assert not any(b"lasso_meta" in answer for answer in plain.answers if answer is not None)


async def test_all_begin_at_once(nursery: trio.Nursery) -> None:
    gate = trio.Event()

    async def held(_: Request) -> Outcome:
        await gate.wait()
        return said(b"1")

    service = Puppet(held)
    nursery.start_soon(Run(service), batch(*[item("eth_call")] * 50))
    await wait_all_tasks_blocked()
    assert len(service.asked) == 50
    gate.set()


async def test_with_turns_the_others_wait_and_their_time_counts_from_their_turn(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def takes_a_second(_: Request) -> Outcome:
        await trio.sleep(1)
        return said(b"1")

    service, turns = Puppet(takes_a_second), Turns(2)
    started = trio.current_time()
    await Run(service)(batch(*[item("eth_call")] * 5), "", turns)
    assert [now - started for *_, now in service.asked] == [0, 0, 1, 1, 2]
    assert repr(turns) == "<Turns free=2 of 2>"


async def test_a_turn_is_given_back_when_its_call_is_cancelled() -> None:
    async def forever(_: Request) -> Outcome:
        await trio.sleep_forever()
        raise AssertionError

    turns = Turns(2)
    with trio.move_on_after(0):
        await Run(Puppet(forever))(batch(*[item("eth_call")] * 5), "", turns)
    assert repr(turns) == "<Turns free=2 of 2>"


async def test_metadata_is_told_beside_the_answers_of_those_who_want_it_there() -> None:
    body = batch(item("eth_call", b"0"), item("eth_getCode", b"1"), item("eth_gasPrice", None))
    result = await Run(Puppet(one))(body, "?include_meta=body", None, {1, 2})
    assert [b"lasso_meta" in (text or b"") for text in result.answers] == [True, False, False]
    assert {position: json.loads(meta)["strategy"] for position, meta in result.beside.items()} == {
        1: "fastest",
        2: "fastest",
    }


async def test_what_is_no_request_is_answered_in_its_place_and_nobody_is_asked() -> None:
    run = Run(Puppet(one))
    result = await run(batch(b"1", item("eth_call"), b'{"id":"i"}', item("eth_subscribe", b"7")))
    invalid, good, with_id, subscription = result.answers
    assert invalid is not None
    assert b'"id":null' in invalid
    assert good == b'{"id":1,"result":1}'
    assert with_id is not None
    assert b'"id":"i"' in with_id
    assert subscription is not None
    assert b'"id":7' in subscription
    assert b"/ws/rpc/eth" in subscription
    assert run.recorded == ["eth_call"]


async def test_notifications_are_carried_out_and_have_no_answer() -> None:
    run = Run(Puppet(one))
    result = await run(batch(item("eth_call", None), item("eth_subscribe", None), item("eth_call", b"null")))
    assert result.answers == [None, None, b'{"id":null,"result":1}']
    assert run.recorded == ["eth_call", "eth_call"]


async def test_an_error_is_the_answer_to_its_call() -> None:
    async def fail(_: Request) -> Outcome:
        return Outcome(error=RpcError(-32000, "no", status=503))

    result = await Run(Puppet(fail))(batch(item("eth_call")))
    assert result.answers == [b'{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"no"}}']


async def test_a_crash_is_the_answer_to_its_call_alone() -> None:
    async def crash_at_2(request: Request) -> Outcome:
        if request.reply_id == b"2":
            raise ZeroDivisionError
        await wait_all_tasks_blocked()
        return said(b"1")

    run = Run(Puppet(crash_at_2))
    with capture_logs() as logs:
        result = await run(batch(item("eth_call"), item("eth_call", b"2"), item("eth_call", b"3")))
    first, second, third = result.answers
    assert (first, third) == (b'{"id":1,"result":1}', b'{"id":3,"result":1}')
    assert second == b'{"jsonrpc":"2.0","id":2,"error":{"code":-32603,"message":"Internal error"}}'
    assert [(line["event"], line["method"]) for line in logs] == [("batch.call_crashed", "eth_call")]
    assert len(run.recorded) == 2


async def test_cancelled_every_call_is() -> None:
    async def forever(_: Request) -> Outcome:
        await trio.sleep_forever()
        raise AssertionError

    run = Run(Puppet(forever))
    with trio.move_on_after(0) as scope:
        await run(batch(item("eth_call"), item("eth_call")))
    assert scope.cancelled_caught
    assert run.recorded == []


async def test_the_first_reads_provider_is_preferred_for_all() -> None:
    service = Puppet(one)
    reads = [item("eth_sendRawTransaction"), item("eth_chainId"), item("eth_getLogs"), item("eth_call"), b"7"]
    await Run(service)(batch(*reads))
    assert service.chosen_for == ["eth_getLogs"]  # not a write, nor what is answered here
    assert {prefer for _, prefer, _, _ in service.asked} == {"the preferred one"}


async def test_a_batch_without_reads_prefers_nobody() -> None:
    service = Puppet(one)
    await Run(service)(batch(item("eth_sendRawTransaction"), item("eth_newFilter"), item("eth_chainId")))
    assert service.chosen_for == []
    assert {prefer for _, prefer, _, _ in service.asked} == {None}


async def test_results_are_held_whole_and_deadlines_count_from_the_batchs_beginning() -> None:
    service = Puppet(one)
    await Run(service)(batch(*[item("eth_call")] * 3))
    assert {stream for _, _, stream, _ in service.asked} == {False}
    assert len({now for _, _, _, now in service.asked}) == 1


async def test_the_first_call_in_order_gives_the_metadata(autojump_clock: trio.testing.MockClock) -> None:
    async def slower_first(request: Request) -> Outcome:
        await trio.sleep(10.0 - float(request.reply_id))
        return said(b"1")

    result = await Run(Puppet(slower_first))(batch(b"7", item("eth_call", b"1"), item("eth_call", b"2")))
    assert result.first is not None
    assert result.first[0].reply_id == b"1"


def test_a_batch_that_asked_nobody_has_no_first_call() -> None:
    assert BatchResult([None], [None]).first is None
