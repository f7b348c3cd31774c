"""One simulated provider: HTTP/1.1 and WebSocket JSON-RPC on one port, answered by a node, spoiled by a fault plan.

`handle` serves any trio stream (so tests run it over memory streams in virtual time), `serve` a loopback port. What it
was asked is counted, so that a test can say how many calls reached a provider. A connection's errors end there: they
are noted in `crashes`, which stays empty as long as this module is right.
"""

from __future__ import annotations

from collections import Counter, deque
from random import Random
from typing import Final

import attrs
import trio

from lasso_trio.devnet import envelope, http_server, session
from lasso_trio.devnet.chain import Chain, View
from lasso_trio.devnet.envelope import Call, Incoming
from lasso_trio.devnet.errors import unknown_method
from lasso_trio.devnet.faults import HTTP_TEXTS, Behaviour, Failure, FaultPlan, Faults, Kind
from lasso_trio.devnet.http_server import Ending, Replay, Reply, Request
from lasso_trio.devnet.json_types import Json
from lasso_trio.devnet.methods import Site
from lasso_trio.devnet.node import Node

MOST_METHODS: Final = 512
LARGEST_SEEN: Final = 2048
_TEXT: Final = (("content-type", "text/plain"),)
_HTML: Final = (("content-type", "text/html"),)


@attrs.frozen
class Seen:
    """One call that arrived (`at` on trio's clock), and what was done to it. Big messages' parameters are left out."""

    at: float
    transport: str
    method: str
    params: Json
    failure: Kind | None


@attrs.define(eq=False)
class Provider:
    """`calls` counts calls by method and `requests` counts HTTP requests and WebSocket messages, since the start."""

    name: str
    chain: Chain
    plan: FaultPlan
    calls: Counter[str] = attrs.field(factory=Counter, init=False)
    requests: int = attrs.field(default=0, init=False)
    recent: deque[Seen] = attrs.field(factory=lambda: deque(maxlen=256), init=False)
    crashes: deque[str] = attrs.field(factory=lambda: deque(maxlen=16), init=False)
    port: int | None = attrs.field(default=None, init=False)
    """The loopback port while (and after) it is served on one."""
    _node: Node = attrs.field(init=False)
    _frozen_view: View | None = attrs.field(default=None, init=False)
    _connections: set[trio.CancelScope] = attrs.field(factory=set, init=False)
    _websockets: set[trio.CancelScope] = attrs.field(factory=set, init=False)
    _changed: trio.Event = attrs.field(factory=trio.Event, init=False)

    @classmethod
    def make(cls, name: str, chain: Chain, faults: Faults = Faults(), seed: int = 0) -> Provider:  # noqa: B008
        """A provider whose misfortunes follow from `seed` and its name."""
        provider = cls(name, chain, FaultPlan(rng=Random(f"{seed}/{name}")))
        provider.plan.set(faults)
        return provider

    def __attrs_post_init__(self) -> None:
        self._node = Node(self.chain)

    @property
    def open_connections(self) -> int:
        """HTTP and WebSocket connections together."""
        return len(self._connections)

    @property
    def open_websockets(self) -> int:
        return len(self._websockets)

    def set_faults(self, faults: Faults) -> None:
        """Replace what goes wrong from now on. Needs a running trio when `frozen` is set."""
        if not faults.frozen:
            self._frozen_view = None
        self.plan.set(faults)
        if faults.frozen:
            self.site()
        self.announce_change()

    def announce_change(self) -> None:
        """Let subscriptions look at the chain again at once."""
        self._changed.set()
        self._changed = trio.Event()

    def drop_connections(self) -> None:
        """End every connection at once, without a goodbye."""
        for scope in self._connections:
            scope.cancel("dropped")

    def drop_websockets(self) -> None:
        """End every WebSocket at once, without a close frame; HTTP goes on."""
        for scope in self._websockets:
            scope.cancel("dropped")

    async def serve(
        self, port: int = 0, *, host: str = "127.0.0.1", task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Listen until cancelled; started with the port (0: any). Raises OSError when it is taken."""
        listeners = await self.listen(port, host=host)
        task_status.started(self.port or 0)
        await trio.serve_listeners(self.handle, listeners)

    async def listen(self, port: int = 0, *, host: str = "127.0.0.1") -> list[trio.SocketListener]:
        """Open the port without serving it yet. Raises OSError when it is taken."""
        listeners = await http_server.open_port(host, port)
        self.port = listeners[0].socket.getsockname()[1]
        return listeners

    async def handle(self, stream: trio.abc.Stream) -> None:
        """Serve one connection until it ends. Never raises but `Cancelled`; the stream is closed."""
        self.chain.start(trio.current_time())
        scope = trio.CancelScope()
        self._connections.add(scope)
        try:
            with scope:
                await http_server.converse(stream, self._exchange, self._websocket)
        except* Exception as crash:
            self.crashes.append(repr(crash)[:500])
        finally:
            self._connections.discard(scope)

    # What sessions need (session.Source)

    def site(self) -> Site:
        faults = self.plan.faults
        view = self._frozen_view or self.chain.view(trio.current_time(), lag=faults.lag, chain_id=faults.chain_id)
        if faults.frozen:
            self._frozen_view = view
        return Site(view, faults.state_depth, faults.log_range)

    def answer(self, call: Call) -> Json:
        method = call.method or ""
        if method in self.plan.faults.missing_methods:
            raise unknown_method(method)
        return self._node.answer(method, call.params, self.site())

    def receive(self, incoming: Incoming, transport: str) -> Behaviour:
        now = trio.current_time()
        behaviour = self.plan.next(incoming.methods, now)
        failure = behaviour.failure.kind if behaviour.failure else None
        self.requests += 1
        for call in incoming.calls:
            method = (call.method or "(invalid)")[:100]
            known = method in self.calls or len(self.calls) < MOST_METHODS
            self.calls[method if known else "(others)"] += 1
            params = call.params if incoming.size <= LARGEST_SEEN else None
            self.recent.append(Seen(now, transport, method, params, failure))
        return behaviour

    async def next_view(self, seen: View) -> None:
        if self.site().view != seen:
            return
        with trio.move_on_at(self.chain.next_block_at(trio.current_time())):
            await self._changed.wait()

    async def _websocket(self, stream: Replay) -> None:
        scopes: list[trio.CancelScope] = []

        def opened(scope: trio.CancelScope) -> None:
            scopes.append(scope)
            self._websockets.add(scope)

        try:
            await session.serve_session(self, stream, opened)
        finally:
            self._websockets.difference_update(scopes)

    async def _exchange(self, request: Request) -> Reply:
        if request.method != "POST":
            return Reply(405, b"POST JSON-RPC here, or open a WebSocket", _TEXT)
        incoming = envelope.decode(request.body)
        behaviour = self.receive(incoming, "http")
        if behaviour.delay_s:
            await trio.sleep(behaviour.delay_s)
        failure = behaviour.failure
        spoiled = failure and _without_answer(failure)
        return spoiled or _with_answer(envelope.answer(incoming, self.answer, failure), failure)


def _without_answer(failure: Failure) -> Reply | None:
    """The reply of failures that happen before the node is asked."""
    match failure.kind:
        case Kind.HTTP:
            text = failure.body if failure.body is not None else HTTP_TEXTS.get(failure.status, "error")
            headers: tuple[tuple[str, str], ...] = _HTML if text.lstrip().startswith("<") else _TEXT
            if failure.retry_after_s is not None:
                headers = (*headers, ("retry-after", f"{failure.retry_after_s:g}"))
            return Reply(failure.status, text.encode(), headers)
        case Kind.GARBAGE:
            return Reply(200, b'{"jsonrpc":"2.0","id":1,"resu\x00\xff not JSON')
        case Kind.HANG:
            return Reply(None, ending=Ending.HANG)
        case Kind.RESET:
            return Reply(None, ending=Ending.RESET)
    return None


def _with_answer(body: bytes, failure: Failure | None) -> Reply:
    match failure and failure.kind:
        case Kind.TRUNCATED:
            return Reply(200, body, sent=len(body) // 2, ending=Ending.VANISH)
        case Kind.DRIP:
            return Reply(200, body, bytes_per_s=failure.bytes_per_s if failure else None)
        case _:
            return Reply(200, body)
