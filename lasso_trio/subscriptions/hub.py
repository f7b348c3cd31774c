"""All streams of a node: made when the first client asks, shared by all who ask for the same, ended when all have left.

    subscribe ─► what is wanted ─► its stream (found, or made and run) ─► live ─► Subscription ─► start ─► close
                                      └ logs hold their chain's heads

A stream is one of a profile's chain, a kind and a filter. Its failure is contained by its supervision; it goes on from
where it was. The nursery is `run`'s: before it runs nobody can subscribe, and when it ends all streams end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import inf
from typing import Any, Final

import attrs
import structlog
import trio

from lasso_trio.jsonrpc.errors import INVALID_PARAMS, LOCAL_CAPACITY, SERVER_ERROR, RpcError
from lasso_trio.providers.registry import Instance
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.subscriptions import wanted as wishes
from lasso_trio.subscriptions.fanout import Fanout, Member
from lasso_trio.subscriptions.feed import FeedSource
from lasso_trio.subscriptions.feed_quality import FeedQuality
from lasso_trio.subscriptions.head_stream import HeadStream
from lasso_trio.subscriptions.log_stream import LogStream
from lasso_trio.subscriptions.pending_stream import PendingStream
from lasso_trio.subscriptions.reader import CurrentReader, Reader
from lasso_trio.subscriptions.replay import Replay
from lasso_trio.subscriptions.slices import Slices
from lasso_trio.subscriptions.stream import Stream, Surroundings
from lasso_trio.subscriptions.syncing_stream import SyncingStream
from lasso_trio.subscriptions.wanted import Kind, Wanted
from lasso_trio.supervision import FINISHED, Supervisor, supervise

log = structlog.get_logger(__name__)

START_S: Final = 10.0
"""How long a client waits for its stream to be live."""
LINGER_S: Final = 60.0
"""How long a stream outlives its last member."""
MOST_STREAMS: Final = 1024
"""Of one profile's chain: each costs subscriptions upstream and reads, and there is no end of filters."""
MOST_FILTER_BYTES: Final = 16 * 1024 * 1024
"""That the filters of one profile's chain may have together: one may have thousands of addresses."""

MakeReader = Callable[[RoutedChain], Reader]
Sources = Callable[[RoutedChain, Kind], Sequence[FeedSource]]
StreamKey = tuple[str, str, str]


@attrs.define(eq=False)
class Subscription:
    """One client's. `start` it once its answer with the `id` is on its way; `close` it when it is wanted no more."""

    id: str
    _hub: Hub
    _stream: Stream
    _member: Member
    _first: int | None
    _replay: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    _closed: bool = False

    def start(self) -> None:
        """Replay, if that was asked for, and go live without a seam. Never waits."""
        if self._closed:
            return
        if self._first is None:
            self._stream.fanout.activate(self._member, self.id)
            self._stream.greet(self._member, self.id)
        else:
            self._hub.spawn(self._run_replay, f"replay {self.id}")

    def close(self) -> None:
        """Nothing comes any more. Never waits; again is harmless."""
        if not self._closed:
            self._closed = True
            self._replay.cancel("closed")
            self._hub.leave(self._stream, self._member, self.id)

    async def _run_replay(self) -> None:
        assert self._first is not None
        with self._replay:
            await Replay(self._stream, self._member, self.id, self._first).run()


@attrs.define(eq=False)
class Hub:
    """`make_reader` and `sources` say how a chain is read, and who feeds it."""

    make_reader: MakeReader
    sources: Sources
    supervisor: Supervisor = attrs.field(factory=Supervisor)
    slices: Slices | None = None
    linger_s: float = LINGER_S
    most_streams: int = MOST_STREAMS
    most_filter_bytes: int = MOST_FILTER_BYTES
    streams: dict[StreamKey, Stream] = attrs.field(factory=dict)
    past: dict[StreamKey, tuple[int, ...]] = attrs.field(factory=dict)
    """What streams that are no more have counted, by place and kind: sums of `Stream.tally`."""
    qualities: dict[tuple[str, str, Kind], dict[str, FeedQuality]] = attrs.field(factory=dict)
    """How good providers' feeds are, by place and kind, then by instance."""
    _chains: dict[tuple[str, str], RoutedChain] = attrs.field(factory=dict)
    """The newest that was named: a reload exchanges them."""
    _nursery: trio.Nursery | None = None
    _left: trio.Event = attrs.field(factory=trio.Event)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run the streams until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                for stream in self.streams.values():  # of the run before
                    self._start(stream)
                task_status.started()
                await self._sweep()
            finally:
                self._nursery = None

    async def subscribe(self, chain: RoutedChain, params: bytes, member: Member) -> Subscription:
        """Returns when the stream is live. `params`: the text of eth_subscribe's. Raises RpcError."""
        wanted = wishes.read(params)
        stream = self._stream(chain, wanted)
        id_ = stream.fanout.reserve(member)
        try:
            await self._until_live(stream, wanted)
            first = _checked(wanted, stream)
        except BaseException:
            self.leave(stream, member, id_)
            raise
        return Subscription(id_, self, stream, member, first)

    def follow(self, chain: RoutedChain) -> None:
        """A reload made `chain` anew: streams of it go on with its providers. Limits hold for new streams."""
        place = _place(chain)
        if place in self._chains:
            self._chains[place] = chain
            self._forget_all_but({provider.instance_id for provider in chain.chain.providers}, place)
            for stream in [stream for key, stream in self.streams.items() if key[:2] == place]:
                stream.feeds.look_again()

    def view(self, chain: RoutedChain) -> list[dict[str, Any]]:
        """The chain's streams, as JSON."""
        return [_view(stream) for key, stream in self.streams.items() if key[:2] == _place(chain)]

    def leave(self, stream: Stream, member: Member, id_: str) -> None:
        stream.fanout.leave(member, id_)
        now = trio.current_time()
        if not stream.fanout.members:
            stream.left_at = now
        self._mark_idle(stream, now)

    def spawn(self, act: Callable[[], Any], name: str) -> None:
        if self._nursery is not None:
            self._nursery.start_soon(act, name=name)

    # Streams…

    def _stream(self, chain: RoutedChain, wanted: Wanted) -> Stream:
        place = _place(chain)
        self._chains[place] = chain
        key = (*place, wanted.key)
        stream = self.streams.get(key)
        if stream is None:
            if self._nursery is None:
                raise _unavailable("not_running")
            self._make_room(place, len(wanted.params))
            stream = self.streams[key] = self._make(place, wanted)
            self._start(stream)
        stream.idle_since = None
        return stream

    def _make_room(self, place: tuple[str, str], size: int) -> None:
        """For one more stream: those that nobody uses go, the longest unused first. Raises RpcError."""
        mine = {key: stream for key, stream in self.streams.items() if key[:2] == place}
        bytes_left = self.most_filter_bytes - size - sum(len(key[2]) for key in mine)
        left = self.most_streams - len(mine)
        idle = sorted(
            (s.idle_since or 0.0, key) for key, s in mine.items() if not s.is_used and s.idle_since is not None
        )
        for _, key in idle:
            if left > 0 and bytes_left >= 0:
                return
            self._end(key, mine[key])
            left, bytes_left = left + 1, bytes_left + len(key[2])
        if left <= 0 or bytes_left < 0:
            raise RpcError(LOCAL_CAPACITY, "Subscription capacity unavailable", category="local_capacity")

    def _make(self, place: tuple[str, str], wanted: Wanted) -> Stream:
        chain = self._chains[place]
        name = " ".join((*place, wanted.key))
        around = self._surroundings(place, wanted.kind)
        conflate = wanted.kind is Kind.HEADS and chain.chain.websocket.conflate_heads
        fanout = Fanout(name, conflate, self.slices)
        if wanted.kind is Kind.HEADS:
            return HeadStream(name, fanout, around)
        if wanted.kind is not Kind.LOGS:
            plain = SyncingStream if wanted.kind is Kind.SYNCING else PendingStream
            return plain(name, fanout, around, wanted=wanted)
        heads = self._stream(chain, wishes.HEADS)
        assert isinstance(heads, HeadStream)
        heads.holders += 1
        return LogStream(name, fanout, around, wanted=wanted, heads=heads)

    def _surroundings(self, place: tuple[str, str], kind: Kind) -> Surroundings:
        chain = self._chains[place]
        return Surroundings(
            policy=chain.chain.websocket,
            sources=lambda: self.sources(self._chains[place], kind),
            reader=CurrentReader(lambda: self.make_reader(self._chains[place])),
            block_time=lambda: self._chains[place].heads.block_time,
            qualities=self.qualities.setdefault((*place, kind), {}),
        )

    def _forget_all_but(self, instances: set[str], place: tuple[str, str]) -> None:
        for (*where, _), qualities in self.qualities.items():
            if tuple(where) == place:
                for gone in qualities.keys() - instances:
                    del qualities[gone]

    def _start(self, stream: Stream) -> None:
        assert self._nursery is not None
        self._nursery.start_soon(self._keep, stream, name=f"stream {stream.key[:80]}")

    async def _keep(self, stream: Stream) -> None:
        async def run() -> object:
            with trio.CancelScope() as scope:
                stream.scope = scope
                if not stream.ended:
                    await stream.run()
            return FINISHED if stream.ended else None

        await supervise(f"stream {stream.key[:80]}", run, registry=self.supervisor)

    async def _until_live(self, stream: Stream, wanted: Wanted) -> None:
        with trio.move_on_after(START_S):
            await stream.until_live()
            if wanted.from_block is not None:  # how far back that is shows only then
                await _heads(stream).begun.wait()
        if stream.failure is not None:
            raise RpcError(INVALID_PARAMS, stream.failure, category="subscription")
        if not stream.live.is_set():
            raise _unavailable("timeout")

    # Ends…

    def _mark_idle(self, stream: Stream, since: float) -> None:
        if not stream.is_used and stream.idle_since is None:
            stream.idle_since = since
            self._left.set()

    async def _sweep(self) -> None:
        """End each stream when it was idle for long enough."""
        while True:
            self._left, now = trio.Event(), trio.current_time()
            for key, stream in self._idle():
                if now >= (stream.idle_since or now) + self.linger_s:
                    self._end(key, stream)
            due = min(((s.idle_since or now) + self.linger_s for _, s in self._idle()), default=inf)
            with trio.move_on_at(due):
                await self._left.wait()

    def _idle(self) -> Iterator[tuple[StreamKey, Stream]]:
        return iter([item for item in self.streams.items() if not item[1].is_used and item[1].idle_since is not None])

    def _end(self, key: StreamKey, stream: Stream) -> None:
        del self.streams[key]
        stream.ended = True
        stream.scope.cancel("nobody is there")
        who = (*key[:2], wishes.kind_of(key[2]))
        before = self.past.get(who, (0,) * len(stream.tally))
        self.past[who] = tuple(map(sum, zip(before, stream.tally, strict=True)))
        if isinstance(stream, LogStream):
            stream.leave_heads()
            stream.heads.holders -= 1
            # What nobody but the logs needed has lingered with them.
            unused_since = trio.current_time() if stream.idle_since is None else stream.idle_since
            self._mark_idle(stream.heads, max(stream.heads.left_at, unused_since))


def _place(chain: RoutedChain) -> tuple[str, str]:
    return chain.profile.slug, chain.chain.key


def _checked(wanted: Wanted, stream: Stream) -> int | None:
    """The first block to replay. Raises RpcError when that is further back than may be asked for."""
    if wanted.from_block is None:
        return None
    most, tip = stream.around.policy.max_backfill_blocks, _heads(stream).line.tip
    if tip is None:  # live, but nobody knows yet where the chain is
        raise _unavailable("no_head_yet")
    if tip.number - wanted.from_block + 1 > most:
        lowest = hex(max(0, tip.number - most + 1))
        text = f"fromBlock is too far back: at most {most} blocks are replayed, now from {lowest} on"
        raise RpcError(INVALID_PARAMS, text, {"max_blocks": most, "lowest": lowest})
    return wanted.from_block


def _heads(stream: Stream) -> HeadStream:
    heads = stream.heads if isinstance(stream, LogStream) else stream
    assert isinstance(heads, HeadStream), "only heads and logs begin at a block"
    return heads


def _unavailable(reason: str) -> RpcError:
    return RpcError(SERVER_ERROR, "Failed to create subscription", {"reason": reason}, category="subscription")


def _view(stream: Stream) -> dict[str, Any]:
    return {
        "key": stream.key,
        "members": stream.fanout.members,
        "live": stream.live.is_set(),
        **attrs.asdict(stream.counts),
        "failovers": stream.feeds.failovers,
        "feeds": [
            {"instance": id_, "open": feed.is_open, **_quality(stream.feeds.quality(id_))}
            for id_, feed in stream.feeds.feeds.items()
        ],
    }


def _quality(quality: FeedQuality) -> dict[str, Any]:
    return {
        "score_s": round(quality.score(trio.current_time()), 4),
        "lag_s": None if quality.lag_s is None else round(quality.lag_s, 4),
        "arrivals": quality.arrivals,
        "troubles": {trouble.value: times for trouble, times in quality.troubles.items()},
    }


def keeper_of(instance: Instance) -> FeedSource | None:
    keeper: FeedSource | None = instance.keeper
    return keeper


def sources_of(chain: RoutedChain, kind: Kind, find: Callable[[Instance], FeedSource | None]) -> list[FeedSource]:
    """Who can feed a stream of the chain, in the profile's order of priority; `find` tells an instance's source."""
    found: dict[str, FeedSource] = {}
    for provider in sorted(chain.chain.providers, key=lambda provider: provider.priority):
        instance = chain.registry.instances.get(provider.instance_id)
        source = None if instance is None else find(instance)
        if source is not None and (kind is not Kind.HEADS or provider.subscribe_new_heads):
            found.setdefault(provider.instance_id, source)
    return list(found.values())


keepers_of: Final = partial(sources_of, find=keeper_of)


make_hub = partial(Hub, sources=keepers_of)
