"""A day of faults in virtual time: five providers fall ill and recover, clients go on asking, and the promises hold.

What goes wrong is in `days`. What is promised is checked against what was done to the providers, not against what the
code believes of them:

* a wrong chain gets no client's call once its prober has had its turn, a quarantined provider gets none at all;
* while somebody can answer, every client gets an answer: a result, or the error that it asked for;
* whoever recovers is back after what is left of its back-off and one look;
* only an illness opens a breaker: no throttling, no client's mistake, no missing method, no lag;
* a day leaves nothing behind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any, Final

import attrs
import pytest
import structlog
import trio
import trio.testing

from lasso_trio.config.profile import Selection, Strategy
from lasso_trio.devnet import ACCOUNTS, REVERTER, TOKENS, Failure, Faults, Kind
from lasso_trio.devnet import Provider as SimulatedProvider
from lasso_trio.devnet.envelope import Incoming
from lasso_trio.devnet.faults import Behaviour
from lasso_trio.providers.breaker import State, Transition
from lasso_trio.providers.channel import EVIDENCE_ROWS
from lasso_trio.providers.head import WARY_LOOKS, ChainCheck
from lasso_trio.providers.heads import ChainHeads
from lasso_trio.providers.method_bans import KEPT
from lasso_trio.providers.probe_schedule import DEEP_EVERY, TRIAL_S, ProbeSchedule
from lasso_trio.providers.prober import TIMEOUT_S, Prober
from lasso_trio.routing.service import Wish
from tests.routing.days import BEHIND, DAY, FAULTS, HOUR, MAY_OPEN, NAMES, SETTLE_S, Spell, random_day, scripted_day

Clock = trio.testing.MockClock
INTERVAL_S: Final = 150.0
"""Of the probes: most of what a simulated day costs."""
BLOCK_TIME_S: Final = 12.0
EPOCH: Final = 1_700_000_000 + 1000 * BLOCK_TIME_S
FIND_OUT_S: Final = DEEP_EVERY * (INTERVAL_S + TIMEOUT_S) + INTERVAL_S
MARGIN_S: Final = 10.0


@attrs.define(eq=False)
class Watched(SimulatedProvider):
    """Tells of each client's call that arrives. A prober's calls are told apart by their words.

    Well, it answers `REFUSED` with a code that no catalogue knows, as bundlers and simulators do.
    """

    tell: Callable[[str, str], None] = lambda name, method: None

    def receive(self, incoming: Incoming, transport: str) -> Behaviour:
        for call in incoming.calls:
            if not _is_probe(call.method or "", call.params):
                self.tell(self.name, call.method or "")
        behaviour = SimulatedProvider.receive(self, incoming, transport)
        if behaviour.failure is None and any(call.method == REFUSED for call in incoming.calls):
            return attrs.evolve(behaviour, failure=UNHEARD_OF)
        return behaviour


def _is_probe(method: str, params: Any) -> bool:
    asks_block = method == "eth_getBlockByNumber" and params[1:] == [False]
    return method in ("eth_chainId", "eth_blockNumber", "eth_syncing") or asks_block


Question = tuple[str, str, frozenset[int]]
"""Method, params, and the error codes that it may be answered with; empty: only a result will do."""
ANY_ERROR: Final = frozenset(range(-33_000, 0))
REFUSED: Final = "eth_getStorageAt"
INSISTENCE: Final = 8
"""More often than any breaker takes a failure."""
UNHEARD_OF: Final = Failure(Kind.RPC, code=-39_000, message="what you wrote is refused")
GOOD: Final[tuple[Question, ...]] = tuple(
    (method, params, frozenset())
    for method, params in (
        ("eth_gasPrice", "[]"),
        ("eth_getBalance", f'["{ACCOUNTS[0]}","latest"]'),
        ("eth_getTransactionCount", f'["{ACCOUNTS[1]}","latest"]'),
        ("eth_getCode", f'["{TOKENS[0]}","latest"]'),
        ("eth_getBlockByNumber", '["0x64",true]'),
        ("eth_estimateGas", f'[{{"to":"{TOKENS[0]}"}}]'),
        ("eth_getLogs", '[{"fromBlock":"0x10","toBlock":"0x20"}]'),
        ("eth_feeHistory", '["0x2","latest",[]]'),
    )
)
MISTAKEN: Final[tuple[Question, ...]] = (
    ("eth_call", f'[{{"to":"{REVERTER}"}},"latest"]', frozenset({3})),
    ("eth_getBalance", '["nobody","latest"]', frozenset({-32602})),
    ("eth_getTransactionCount", "[]", frozenset({-32602})),
    ("eth_getBlockByNumber", '["soon",true]', frozenset({-32602})),
    (REFUSED, f'["{TOKENS[0]}","0x0","latest"]', frozenset({UNHEARD_OF.code})),
)


@attrs.define(eq=False)
class DayOfFaults:
    """`ill`: which kind of fault is in force, and since when; `was_ill`: which ended last, and when. `wrongs`: every
    promise that was broken, in words. `shut_at`: when a breaker opened last. `opened` and `returned` count by kind of
    fault.
    """

    world: Any
    probers: dict[str, Prober]
    rng: Random
    ill: dict[str, tuple[str, float]] = attrs.field(factory=dict)
    was_ill: dict[str, tuple[str, float]] = attrs.field(factory=dict)
    wrongs: list[str] = attrs.field(factory=list)
    asked: Counter[str] = attrs.field(factory=Counter)
    opened: Counter[str] = attrs.field(factory=Counter)
    returned: Counter[str] = attrs.field(factory=Counter)
    shut_at: dict[str, float] = attrs.field(factory=dict)
    under_way: int = 0
    started: float = attrs.field(factory=trio.current_time)

    @property
    def is_worth_its_name(self) -> bool:
        """Breakers opened, providers came back after most kinds of faults, and nobody went without calls."""
        return len(self.opened) >= 10 and len(self.returned) >= 15 and min(self.asked.values()) > 100

    def wrong(self, what: str) -> None:
        state = {n: f"{k} since {trio.current_time() - at:.0f} s" for n, (k, at) in self.ill.items()}
        self.wrongs.append(f"{trio.current_time() - self.started:.0f} s: {what} ({state})")

    # What is done to the providers…

    async def live(self, spells: Iterable[Spell], nursery: trio.Nursery) -> None:
        for spell in spells:
            await trio.sleep_until(self.started + spell.at)
            nursery.start_soon(self._fall_ill, spell)

    async def _fall_ill(self, spell: Spell) -> None:
        name, now = spell.name, trio.current_time()
        assert name not in self.ill
        self.ill[name] = spell.kind, now
        self._apply(name, spell.kind)
        async with trio.open_nursery() as surprised:
            for _ in range(3):
                surprised.start_soon(self._ask)
        await trio.sleep_until(self.started + spell.ends)
        self._apply(name, "")
        del self.ill[name]
        self.was_ill[name] = spell.kind, trio.current_time()
        await self._returns(name)

    def _apply(self, name: str, kind: str) -> None:
        network = self.world.network
        network.down.discard(name)
        network.dark.discard(name)
        if kind in ("down", "dark"):
            (network.down if kind == "down" else network.dark).add(name)
        if kind in ("down", "dark", ""):
            self.world.provider(name).drop_connections()
        self.world.provider(name).set_faults(FAULTS.get(kind, Faults()))

    # What must follow from it…

    async def _returns(self, name: str) -> None:
        """Back in the plans after what is left of its back-off, and one look."""
        kind, healed = self.was_ill[name]
        await trio.sleep(SETTLE_S)
        if name in self.ill:
            return
        await trio.sleep(self._back_off(name, kind) + MARGIN_S)
        if name in self.ill or self.was_ill[name][1] != healed:
            return
        why = self._absent(name)
        self.returned[kind] += 1
        if why:
            self.wrong(f"{name} is not back after {kind}: {why}")

    def _back_off(self, name: str, kind: str) -> float:
        now, candidate, prober = trio.current_time(), self.world[name], self.probers[name]
        breaker = candidate.channel.breaker
        wrong_chain = candidate.head.check is ChainCheck.WRONG
        waits = 0.0 if wrong_chain else breaker.retry_after(now)
        look = max(prober.schedule.backoff_s, INTERVAL_S) + TIMEOUT_S
        wary = WARY_LOOKS * look if kind in BEHIND else 0.0
        return max(waits, candidate.channel.cooldown.remaining(now), look) + look + 2 * TRIAL_S + wary

    def _absent(self, name: str) -> str:
        now, candidate = trio.current_time(), self.world[name]
        plan = self.world.routed.plan(self.world.request().method, b"[]", now, Strategy.PRIORITY)
        reasons = {exclusion.label: exclusion.reason for exclusion in plan.excluded}
        if candidate not in plan.ranked:
            return f"left out: {reasons.get(candidate.label)}"
        return "cooling down" if candidate.channel.cooldown.active(now) else ""

    def arrived(self, name: str, method: str) -> None:
        now, candidate = trio.current_time(), self.world[name]
        self.asked[name] += 1
        kind, since = self.ill.get(name, ("", now))
        if kind == "wrong_chain" and now - since > FIND_OUT_S:
            self.wrong(f"{method} went to {name}, {now - since:.0f} s after it began to serve another chain")
        breaker = candidate.channel.breaker
        admitted_before = self.shut_at.get(name) == now  # of several at one moment, the first's answer came sooner
        if breaker.quarantined and breaker.state(now) is State.OPEN and not admitted_before:
            self.wrong(f"{method} went to {name}, which is quarantined for {breaker.reason}")
        if not candidate.head.check.may_serve:
            self.wrong(f"{method} went to {name}, whose chain is {candidate.head.check}")

    def moved(self, name: str, step: Transition) -> None:
        if step.after is not State.OPEN:
            return
        self.shut_at[name] = now = trio.current_time()
        kind, _ = self.ill.get(name, ("", now))
        before, healed = self.was_ill.get(name, ("", now))
        self.opened[kind or before] += 1
        if kind not in MAY_OPEN and not (before in MAY_OPEN and now - healed < SETTLE_S):
            self.wrong(f"the breaker of {name} opened for {step.reason} ({step.detail}) during {kind or 'nothing'}")

    # What clients do…

    async def clients(self, nursery: trio.Nursery) -> None:
        burst_at = HOUR / 2
        while (now := trio.current_time() - self.started) < DAY - 1000.0:
            calls = 1
            if now > burst_at:
                burst_at, calls = burst_at + HOUR, 20
                nursery.start_soon(self._insist)
            for _ in range(calls):
                nursery.start_soon(self._ask)
            await trio.sleep(self.rng.uniform(30.0, 90.0))

    async def _insist(self) -> None:
        """One mistake again and again, at one provider, as a client's loop makes it."""
        question = self.rng.choice(MISTAKEN)
        for _ in range(INSISTENCE):
            await self._ask(question, Strategy.PRIORITY)

    async def _ask(self, question: Question | None = None, strategy: Strategy | None = None) -> None:
        method, params, codes = question or self._question()
        strategy = strategy or self.rng.choice(tuple(Strategy))
        self.under_way += 1
        started = trio.current_time()
        answer = await self.world.ask(method, params, Wish(strategy=strategy))
        self.under_way -= 1
        told = answer["error"]["code"] if "error" in answer else None
        if (told is None) != (not codes) or (codes and told not in codes):
            seconds = trio.current_time() - started
            self.wrong(f"{method}{params} by {strategy} was answered {str(answer)[:200]} after {seconds:.1f} s")

    def _question(self) -> Question:
        draw = self.rng.random()
        if draw < 0.05:
            # Nobody knows what such a method does, so it is not repeated: any error will do.
            return f"eth_nobodyKnows{self.rng.randrange(10**6)}", "[]", ANY_ERROR
        return self.rng.choice(MISTAKEN if draw < 0.2 else GOOD)

    def assert_nothing_is_left(self) -> None:
        now = trio.current_time()
        self.world.assert_nothing_leaked()
        assert self.under_way == 0
        for candidate in self.world.routed.candidates:
            channel = candidate.channel
            assert (channel.breaker.state(now), channel.limited(now)) == (State.CLOSED, False), candidate
            assert len(channel.evidence) <= EVIDENCE_ROWS + 1
            assert len(channel.bans.until) <= KEPT
            assert len(channel.unknown.listing()) <= channel.unknown.most
            assert not self._absent(candidate.provider.id)
            assert self.world.provider(candidate.provider.id).open_connections <= channel.pool.idle


@pytest.fixture
def quiet() -> Iterator[None]:
    """A day tells more than a test's log should hold."""
    before = structlog.get_config()
    structlog.configure(processors=[_dropped])
    try:
        yield
    finally:
        structlog.configure(**before)


def _dropped(*_: object) -> Any:
    raise structlog.DropEvent


@pytest.mark.parametrize("day", ["scripted", 1])
async def test_a_day_of_faults_breaks_no_promise(
    day: str | int, nursery: trio.Nursery, world: Callable[..., Any], quiet: None, autojump_clock: Clock
) -> None:
    its = world(dict.fromkeys(NAMES, Faults()))
    its.routed.chain = attrs.evolve(its.routed.chain, selection=Selection(max_lag_blocks=10))
    its.routed.heads = ChainHeads(its.routed.heads.heads, tolerance=10)
    today = DayOfFaults(its, {}, Random(f"{day}"))
    for name in NAMES:
        _watch(today, name)
    async with trio.open_nursery() as probing:
        for prober in today.probers.values():
            probing.start_soon(prober.run)
        for prober in today.probers.values():
            await prober.settled.wait()
        async with trio.open_nursery() as living:
            living.start_soon(today.clients, living)
            living.start_soon(today.live, scripted_day() if day == "scripted" else random_day(int(day)), living)
        await trio.sleep_until(today.started + DAY)
        probing.cancel_scope.cancel()
    assert today.wrongs == []
    assert today.is_worth_its_name
    await trio.testing.wait_all_tasks_blocked()
    today.assert_nothing_is_left()


def _watch(today: DayOfFaults, name: str) -> None:
    its, start = today.world, trio.current_time()
    chain = its.provider(name).chain
    chain.chain_id, chain.block_time = 1, BLOCK_TIME_S
    its.network.providers[name] = watched = Watched(name, chain, its.provider(name).plan)
    watched.tell = today.arrived
    candidate = its[name]
    breaker = candidate.channel.breaker
    inner = breaker.on_transition

    def moved(step: Transition) -> None:
        inner(step)
        today.moved(name, step)

    breaker.on_transition = moved
    today.probers[name] = Prober(
        candidate.channel,
        candidate.head,
        1,
        ProbeSchedule(INTERVAL_S),
        lambda: its.routed.counts.calls,
        Random(name),
        wall=lambda: EPOCH + trio.current_time() - start,
    )
