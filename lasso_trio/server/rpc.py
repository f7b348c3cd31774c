"""JSON-RPC over HTTP: one request in, one answer out, the same for the rpc lane and for HTTP/2.

    route (remembered on the head) → decode → client limit → one call or a batch → answer with id, headers, metadata

Every answer carries a request id, its timing and the CORS headers, errors too.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import trio

from lasso_trio.access.credential import taken_out
from lasso_trio.access.gates import Gates
from lasso_trio.access.guard import Guard
from lasso_trio.config.settings import Settings
from lasso_trio.jsonrpc.errors import RpcError, invalid_request, websocket_only
from lasso_trio.jsonrpc.methods import WEBSOCKET_ONLY
from lasso_trio.jsonrpc.request import Invalid, Request, decode
from lasso_trio.routing.client_limit import client_key
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.room import Room
from lasso_trio.routing.service import Service
from lasso_trio.server import request_id, rpc_answer
from lasso_trio.server.answer import Answer
from lasso_trio.server.batch import BatchResult, Record, run_batch
from lasso_trio.server.client_address import client_address
from lasso_trio.server.connection import Peer
from lasso_trio.server.exchange import Exchange
from lasso_trio.server.explanation import explanation
from lasso_trio.server.guarded import Items, dressed, guarded, id_of, permitted, refusal
from lasso_trio.server.http_head import Head
from lasso_trio.server.http_request import HttpRequest
from lasso_trio.server.large_body import LargeBody
from lasso_trio.server.routes import NoSuchRoute, Route, resolve


@attrs.frozen(eq=False)
class Memo:
    """What was made of a head, valid for one generation of the configuration."""

    generation: int
    route: Route | None
    request_id: str | None
    forwarded_for: str
    guard: Guard | None = None


@attrs.define(eq=False)
class RpcHandler:
    directory: Directory
    service: Service
    settings: Settings
    record: Record
    gates: Gates = attrs.field(factory=Gates)

    async def __call__(self, http: HttpRequest, peer: Peer) -> Answer:
        """Answer one HTTP request on `/rpc…`. Raises only Cancelled."""
        head = http.head
        memo: Memo | None = head.route
        if memo is None or memo.generation != self.directory.generation:
            memo = head.route = self._memo(head)
        id_ = memo.request_id or request_id.made()
        if memo.guard is not None:
            return await self._guarded(memo.guard, memo, http, peer, id_)
        if head.method != "POST":
            return rpc_answer.preflight(id_)
        if memo.route is None:
            return rpc_answer.not_found(id_)
        if memo.route.error is not None:  # answered and not raised: it is kept, and would keep every traceback too
            return rpc_answer.of_error(memo.route.error, id_)
        try:
            return await self._answer(Exchange(memo.route, id_, http.received_at), http.body, memo.forwarded_for, peer)
        except RpcError as error:
            return rpc_answer.of_error(error, id_)

    def _memo(self, head: Head) -> Memo:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        target, in_path = taken_out(head.target)
        try:
            route = guarded(resolve(target, headers, self.directory), in_path, headers, self.gates)
        except NoSuchRoute:
            route = None
        given = request_id.sane(headers.get("x-request-id", ""))
        forwarded = ",".join(v.decode("latin-1") for name, v in head.headers if name == b"x-forwarded-for")
        return Memo(self.directory.generation, route, given, forwarded, None if route is None else route.guard)

    async def _guarded(self, guard: Guard, memo: Memo, http: HttpRequest, peer: Peer, id_: str) -> Answer:
        assert memo.route is not None, "nobody guards a path that is none of ours"
        if http.head.method != "POST":
            return dressed(rpc_answer.preflight(id_), guard)
        try:
            exchange = Exchange(memo.route, id_, http.received_at)
            answer = await self._answer(exchange, http.body, memo.forwarded_for, peer)
        except RpcError as error:
            answer = rpc_answer.of_error(error, id_)
        return dressed(answer, guard)

    async def _answer(self, exchange: Exchange, body: bytes, forwarded_for: str, peer: Peer) -> Answer:
        decoded = decode(body, self.settings.max_batch)
        guard = exchange.route.guard
        if guard is not None:
            let_in = self._let_in(guard, exchange, decoded, forwarded_for, peer)
            if isinstance(let_in, Answer):
                return let_in
            decoded = let_in
        elif (refused := self._refuse_beyond_limit(exchange, decoded, forwarded_for, peer)) is not None:
            return refused
        if exchange.route.explain:
            return explanation(self.service, exchange, decoded)
        if isinstance(decoded, Request):
            return await self._single(exchange, decoded)
        if isinstance(decoded, Invalid):
            return rpc_answer.of_error(decoded.error, exchange.request_id, decoded.id)
        if not decoded:
            raise invalid_request()
        room = Room(self.settings.max_response_bytes)
        batch = await run_batch(self.service, self.record, exchange, decoded, room)
        return rpc_answer.of_batch(exchange, batch, trio.current_time())

    def _let_in(
        self, guard: Guard, exchange: Exchange, decoded: Request | Invalid | Items, forwarded_for: str, peer: Peer
    ) -> Request | Invalid | Items | Answer:
        """What of it may be called, or the refusal. A refused credential counts against its address's limit, and what
        is forbidden against its client's, as every call does.
        """
        host = client_address(peer.host, forwarded_for, self.settings.trusted_proxies)
        error = guard.admit(host, self.gates.clock())
        if error is not None:
            limit = exchange.route.routed_profile.limit
            wait = limit.take(client_key(host), 1, exchange.started)
            if wait:
                return rpc_answer.limited(limit.rate, wait, exchange.request_id, id_of(decoded))
            return refusal(error, exchange.request_id, id_of(decoded))
        if exchange.route.error is not None:
            return rpc_answer.of_error(exchange.route.error, exchange.request_id, id_of(decoded))
        refused = self._refuse_beyond_limit(exchange, decoded, forwarded_for, peer)
        return self._permitted(guard, exchange, decoded) if refused is None else refused

    def _permitted(
        self, guard: Guard, exchange: Exchange, decoded: Request | Invalid | Items
    ) -> Request | Invalid | Items | Answer:
        if isinstance(decoded, Request):
            error = guard.forbids(decoded.method.name)
            return decoded if error is None else rpc_answer.of_local_error(exchange, decoded, error)
        if isinstance(decoded, Invalid) or not decoded:
            return decoded
        kept = permitted(guard, decoded)
        return kept or rpc_answer.of_batch(exchange, BatchResult([], []), trio.current_time())

    def _refuse_beyond_limit(
        self, exchange: Exchange, decoded: Request | Invalid | Sequence[object], forwarded_for: str, peer: Peer
    ) -> Answer | None:
        """Every call counts, those of a batch too. The 429 carries the client's id where there is one."""
        route = exchange.route
        host = client_address(peer.host, forwarded_for, self.settings.trusted_proxies) if forwarded_for else peer.host
        n = len(decoded) if isinstance(decoded, list) else 1
        limit = route.routed_profile.limit
        if route.guard is None:
            wait = limit.take(client_key(host), n, exchange.started)
        else:
            limit, wait = route.guard.take(limit, host, n, exchange.started)
        if not wait:
            return None
        route.routed_chain.counts.limited += n
        id_ = decoded.reply_id if isinstance(decoded, Request) else b"null"
        return rpc_answer.limited(limit.rate, wait, exchange.request_id, id_)

    async def _single(self, exchange: Exchange, request: Request) -> Answer:
        route = exchange.route
        if request.method.name in WEBSOCKET_ONLY:
            return rpc_answer.of_local_error(exchange, request, websocket_only(route.path))
        served = await self.service.serve(
            route.routed_chain, route.wish, request, exchange.started, stream=request.id is not None
        )
        ended = trio.current_time()
        try:
            self.record(exchange, request, served, ended)
            return rpc_answer.of_call(exchange, request, served, ended)
        except BaseException:
            if served.outcome.large is not None:  # nobody else would give its connection back
                await LargeBody(served.outcome.large).aclose()
            raise
