"""A keeper owns the WebSocket of one instance: session after session, for as long as the instance is configured.

    wait ─► dial, upgrade ─► eth_chainId ─► live: calls, feeds, heads ─► ended: why? whose fault? ─► wait …
                                 └─ wrong chain: quarantined and shouted about, tried again later

While a session is live the channel has its link as `pool` and may be planned; that it begins and ends moves the shared
version. What a session's end means is `keeper_policy`'s to say; the channel's breaker hears of it through a witness, as
it does of a prober's rounds. A session's tasks (sender, reader, head watch, subscribers) live in one nursery and end
together; an end is a value (`Ending`) and no crash. Where nobody asks over HTTP, the keeper's word is the instance's.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from random import Random
from typing import Final, NoReturn

import attrs
import structlog
import trio

from lasso_trio.providers.breaker import State
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.classify import Verdict
from lasso_trio.providers.head import Head
from lasso_trio.providers.probe_witness import Witness
from lasso_trio.providers.prober import unix_time
from lasso_trio.subscriptions import keeper_policy as policy
from lasso_trio.subscriptions.feed import Feed, NotConnected, Refused
from lasso_trio.subscriptions.keeper_chain import ChainProof
from lasso_trio.subscriptions.keeper_heads import HeadWatch, Terms
from lasso_trio.subscriptions.session_feeds import FeedCounters, SessionFeeds
from lasso_trio.supervision import FINISHED
from lasso_trio.telemetry.scrub import scrub
from lasso_trio.upstream.dialled import Dial, Dialled
from lasso_trio.upstream.endpoint import Endpoint
from lasso_trio.upstream.faults import Disconnected
from lasso_trio.upstream.raw_stream import Traffic
from lasso_trio.upstream.traffic import count
from lasso_trio.upstream.websocket import Ending, Life, Over, Socket, hold
from lasso_trio.upstream.ws_link import WsLink
from lasso_trio.upstream.ws_message import Answer, Complaint, News, read

log = structlog.get_logger(__name__)

LEAVE_S: Final = 30.0
LOOK_S: Final = 0.05


@attrs.define(eq=False, repr=False)
class Keeper:
    """`channel`: a WebSocket channel. `alone`: its instance has no HTTP channel, so `head.check` is the keeper's too.

    `settled` is set when the first try is over, well or badly. `last_ending`: why the last session ended.
    """

    channel: Channel
    head: Head
    chain_id: int
    endpoint: Endpoint
    dial: Dial
    terms: Terms = attrs.field(factory=Terms)
    alone: bool = False
    watching: bool = True
    """Off: the session is for calls alone, and another process looks after the head. `watch` turns it on for good."""
    rng: Random = attrs.field(factory=Random)
    wall: Callable[[], float] = unix_time
    backoff: policy.Backoff = attrs.field(factory=policy.Backoff)
    counters: FeedCounters = attrs.field(factory=FeedCounters)
    traffic: Traffic = attrs.field(factory=Traffic)
    sessions: int = 0
    """That came to live, since the beginning."""
    last_ending: Ending | None = None
    since: float = 0.0
    """When it was last connected or disconnected (trio's clock)."""
    settled: trio.Event = attrs.field(factory=trio.Event)
    _leaving: trio.Event = attrs.field(factory=trio.Event)
    _watch: trio.Event = attrs.field(factory=trio.Event)
    _feeds: SessionFeeds | None = None
    _changed: trio.Event = attrs.field(factory=trio.Event)
    _hurry: trio.Event = attrs.field(factory=trio.Event)
    _hurried_until: float = -inf
    _may_hurry: bool = True
    _farewells: tuple[bytes, ...] = ()
    _distrusted: str = ""
    proof: ChainProof = attrs.field(init=False)
    _witness: Witness = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._witness = witness = Witness(self.channel.breaker)
        self.proof = ChainProof(
            self.channel, self.head, self.chain_id, self.alone, witness, self.wall, lambda: self.terms.error_rules
        )

    def __repr__(self) -> str:
        return f"<Keeper {self.instance_id} {'connected' if self.connected else 'disconnected'}>"

    # As a source of feeds…

    @property
    def instance_id(self) -> str:
        return self.channel.instance_id

    @property
    def connected(self) -> bool:
        return self._feeds is not None

    def changed(self) -> trio.Event:
        """Set at the next connect or disconnect."""
        return self._changed

    def hurry(self) -> None:
        """`feed.FeedSource.hurry`."""
        self._hurried_until = trio.current_time() + policy.HURRY_S
        self._hurry.set()

    async def open(self, params: bytes) -> Feed:
        """`feed.FeedSource.open`."""
        if self._feeds is None:
            raise NotConnected("there is no session")
        return await self._feeds.open(params)

    # Session after session…

    async def run(self) -> object:
        """Until cancelled, or told to `leave`; then says goodbye, within a second. Returns FINISHED."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep, name=f"keep {self.instance_id}")
                await self._leaving.wait()
                await self._drained()
                nursery.cancel_scope.cancel("its instance is gone")
        finally:
            self.settled.set()
        return FINISHED

    def watch(self) -> None:
        """Look after the head from now on, in the session that is on as well."""
        self.watching = True
        self._watch.set()

    def leave(self) -> None:
        """Its instance is in the configuration no more: end as soon as the calls in flight have their answers."""
        self._leaving.set()

    async def _keep(self) -> NoReturn:
        await trio.sleep(self.rng.uniform(0.0, policy.FIRST_CONNECT_S))
        while True:
            wait_s = await self.session()
            self.settled.set()
            await self._rest(wait_s)

    async def _rest(self, wait_s: float) -> None:
        """Between two sessions; shorter while streams have nobody to listen to."""
        end = trio.current_time() + wait_s
        await trio.sleep(min(wait_s, policy.HURRIED_S))
        while trio.current_time() < end and not (self._may_hurry and trio.current_time() < self._hurried_until):
            self._hurry = trio.Event()
            with trio.move_on_at(end):
                await self._hurry.wait()

    async def _drained(self) -> None:
        for _ in range(round(LEAVE_S / LOOK_S)):
            link = self.channel.pool
            if link is None or not link.busy:
                return
            await trio.sleep(LOOK_S)

    async def _counted_dial(self) -> Dialled:
        dialled = await self.dial()
        count(dialled.stream, self.traffic)
        return dialled

    async def session(self) -> float:
        """One session from its dial to its end; how long to wait before the next one."""
        started = trio.current_time()
        self._farewells, self._distrusted, self.proof.refusal = (), "", None
        ending = await hold(self.endpoint, self._counted_dial, Life(self._live, lambda: self._farewells))
        self.last_ending = ending
        self.backoff.ended()
        verdict, now = self._verdict(ending), trio.current_time()
        self._blame(ending, verdict, started, now)
        wait_s = self.backoff.wait_s(ending, verdict, self.channel.cooldown.remaining(now), self.rng)
        self._may_hurry = policy.may_hurry(ending, verdict)
        self._tell_ending(ending, wait_s)
        return wait_s

    async def _live(self, socket: Socket) -> None:
        async with trio.open_nursery() as nursery:
            link = WsLink(self.endpoint, cut=lambda reason: self._end(nursery, reason))
            feeds = SessionFeeds(
                link, nursery, self.counters, rules=lambda: self.terms.error_rules, throttled=self._throttled
            )
            try:
                nursery.start_soon(_send, socket, link, name="ws sender")
                nursery.start_soon(_read, socket, link, feeds, name="ws reader")
                await self.proof.check(link)
                self._connected(link, feeds)
                nursery.start_soon(self._prove, name="ws proof")
                if not self.watching:
                    await self._watch.wait()
                watch = HeadWatch(self.instance_id, self.head, lambda: self.terms, link, feeds, self.wall, self.alone)
                await watch.run()
            finally:
                # Streams that end at the same moment have posted theirs, and nobody sends them any more.
                self._farewells = (*link.unsent(), *feeds.farewells())
                self._disconnected(link, feeds)
        raise Over(Ending(self._distrusted or "lost", opened=True))

    def _end(self, nursery: trio.Nursery, reason: str) -> None:
        self._distrusted = reason
        nursery.cancel_scope.cancel(reason)

    async def _prove(self) -> None:
        """Who stood so long has proved itself, as far as a way can be proved without a call."""
        started = trio.current_time()
        await trio.sleep(policy.STABLE_S)
        self.backoff.stood()
        now, breaker = trio.current_time(), self.channel.breaker
        for _ in range(breaker.policy.successes):
            self._witness.success(started, now, trial=breaker.state(now) is State.HALF_OPEN)

    # What others see…

    def _connected(self, link: WsLink, feeds: SessionFeeds) -> None:
        self.sessions += 1
        self.channel.pool, self._feeds = link, feeds
        log.info("keeper.connected", origin=link.origin, sessions=self.sessions, **self._who())
        self._announce()
        self.settled.set()

    def _disconnected(self, link: WsLink, feeds: SessionFeeds) -> None:
        feeds.end()
        link.lose(Disconnected("closed", "the session ended"))
        if self._feeds is feeds:
            self.channel.pool = self._feeds = None
            self._announce()

    def _announce(self) -> None:
        self.since = trio.current_time()
        self.channel.version.bump()
        self.head.touched()
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    def _verdict(self, ending: Ending) -> Verdict | None:
        said = self.proof.refusal
        return policy.judge(ending, self.terms.error_rules) if said is None else said.verdict

    def _blame(self, ending: Ending, verdict: Verdict | None, started: float, now: float) -> None:
        if verdict is None:
            return
        if verdict.kind == "quota":
            said = self.proof.refusal
            hint_s = policy.hint_s(ending, self.wall()) if said is None else said.hint_s
            self.channel.cool(now, hint_s, long=verdict.cooldown == "long")
        else:
            self._witness.failure(verdict.category, started, now, self.rng, self.backoff.failures, trial=False)

    def _throttled(self, refused: Refused) -> None:
        """A subscription was one request too many: calls are kept away as well."""
        self.channel.cool(trio.current_time(), refused.hint_s, long=refused.verdict.cooldown == "long")

    def _tell_ending(self, ending: Ending, wait_s: float) -> None:
        text = scrub(ending.text)
        told = {"reason": ending.reason, "code": ending.code, "said": text or None, "retry_s": round(wait_s, 2)}
        tell = (
            log.warning if ending.opened or self.backoff.failures == 1 or self.backoff.failures % 5 == 0 else log.info
        )
        tell("keeper.ended" if ending.opened else "keeper.not_connected", **told, **self._who())

    def _who(self) -> dict[str, str]:
        return {"instance": self.channel.instance_id}


async def _send(socket: Socket, link: WsLink) -> None:
    while True:
        await socket.send(await link.next_request())


async def _read(socket: Socket, link: WsLink, feeds: SessionFeeds) -> None:
    """Never waits for anybody but the socket. What is not understood is counted and passed over."""
    while True:
        message = await socket.receive()
        match read(message):
            case Answer(id_):
                link.answered(id_, message)
            case News() as news:
                feeds.notify(news)
            case Complaint():
                link.complained(message)
            case _:
                link.counters.noise += 1
