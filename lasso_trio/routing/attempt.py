"""One dispatch to one channel: send, wait, check, classify, and tell the channel how it went.

Exactly one of the channel's `succeeded`, `failed`, `expired`, `abandoned` is called for each attempt, whatever happens.
An attempt may come back `waiting`, when it was asked to be back by a certain time: then whoever asked must `finish` it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from math import inf
from typing import Final

import attrs
import trio

from lasso_trio.jsonrpc.errors import (
    RpcError,
    broken_reply,
    local_capacity,
    reply_too_large,
    request_timeout,
    upstream_http_status,
    upstream_unreachable,
)
from lasso_trio.jsonrpc.large_reply import recognise
from lasso_trio.jsonrpc.methods import Method
from lasso_trio.jsonrpc.reply import BrokenReply, Reply, check, encode_request
from lasso_trio.providers.catalogue import VERDICTS, Category, Verdict
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.classify import classify, classify_fault
from lasso_trio.providers.hint import NO_HINT, Hint, hint_in
from lasso_trio.providers.retry_after import from_header
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.outcome import Large
from lasso_trio.routing.room import Room
from lasso_trio.upstream.call import Call as HttpCall
from lasso_trio.upstream.faults import Expired, PoolClosed, TooLarge, UpstreamFault
from lasso_trio.upstream.reply import Reply as HttpReply
from lasso_trio.upstream.ws_call import WsCall

LONGEST_UNAVAILABLE_S: Final = 300.0
_ids: Final = count(1)
"""Upstream ids: small integers, never used twice, so that no late answer can be taken for another's."""


@attrs.frozen(eq=False)
class Waiting:
    """What an attempt that is still under way needs to go on. Times are absolute (trio's clock)."""

    http: HttpCall | WsCall
    id: int
    method: Method
    client_id: bytes
    started: float
    until: float
    stream: bool
    clock: Callable[[], float]
    room: Room | None
    fair_s: float


@attrs.define(eq=False)
class Attempt:
    """How it went. `final`: this goes to the client whatever else could be tried.

    `dispatched` tells whether the provider may have seen the request. `seconds` is the attempt's duration.
    """

    candidate: Candidate
    reply: Reply | None = None
    large: Large | None = None
    verdict: Verdict | None = None
    error: RpcError | None = None
    seconds: float = 0.0
    dispatched: bool = True
    final: bool = False
    held: int = 0
    """Bytes taken of the room that results may be held in."""
    waiting: Waiting | None = None
    """Set as long as it is under way and nobody waits for it."""

    @property
    def unanswered(self) -> bool:
        """The provider may have acted, but did not say what it did."""
        return self.dispatched and self.reply is None and self.large is None and not self.declined

    @property
    def declined(self) -> bool:
        """It did not act, for a reason of its own (rate limit, missing ability): even a write may go elsewhere."""
        return self.verdict is not None and self.verdict.kind in ("quota", "capability")

    @property
    def hopeless(self) -> bool:
        """Nobody else would do better."""
        return self.verdict is not None and not self.verdict.retriable


async def attempt(
    method: Method,
    params: bytes,
    client_id: bytes,
    candidate: Candidate,
    started: float,
    until: float,
    stream: bool,
    clock: Callable[[], float] = trio.current_time,
    room: Room | None = None,
    late: float = inf,
    fair_s: float = 0.0,
    lines: bytes = b"",
) -> Attempt:
    """Ask `candidate` once, until the absolute time `until`. Its channel must have admitted the call.

    With `stream` a large result is returned half-way (`large`); else it is read to its end, as far as there is `room`
    (None: the pool's cap alone bounds it). What is not answered by `late` comes back `waiting`. A time-out after less
    than `fair_s` is no verdict on the provider. `lines`: header lines of its request alone. Raises only Cancelled.
    """
    channel = candidate.channel
    done = Attempt(candidate)
    candidate.tally.attempts += 1
    channel.in_flight += 1
    try:
        pool = channel.pool
        if pool is None:  # a WebSocket that was lost since the plan was made
            raise PoolClosed("not_connected")
        id_ = next(_ids)
        request = encode_request(id_, method.raw, params)
        if late < until:
            http = await pool.ask(
                request, replay_safe=method.replay_safe, gzip=method.bulky, until=until, late=late, lines=lines
            )
            if not isinstance(http, HttpReply):
                done.waiting = Waiting(http, id_, method, client_id, started, until, stream, clock, room, fair_s)
                return done
        else:
            http = await pool.exchange(
                request, replay_safe=method.replay_safe, gzip=method.bulky, until=until, lines=lines
            )
        await _take(done, http, id_, method, client_id, started, until, stream, clock, room)
    except (BrokenReply, UpstreamFault) as error:
        _went_wrong(done, error, method, started, clock(), fair_s)
    except BaseException:
        channel.abandoned(started)
        raise
    finally:
        if done.waiting is None:
            _over(done, room)
    return done


async def finish(done: Attempt) -> None:
    """Wait for the end of an attempt that came back `waiting`. Raises only Cancelled."""
    waiting, done.waiting = done.waiting, None
    assert waiting is not None, "only an attempt under way can be finished"
    w = waiting
    try:
        http = await w.http.answer_by(w.until)
        await _take(done, http, w.id, w.method, w.client_id, w.started, w.until, w.stream, w.clock, w.room)
    except (BrokenReply, UpstreamFault) as error:
        _went_wrong(done, error, w.method, w.started, w.clock(), w.fair_s)
    except BaseException:
        done.candidate.channel.abandoned(w.started)
        raise
    finally:
        _over(done, w.room)


def drop(done: Attempt, room: Room | None) -> None:
    """Give back what an answer holds that nobody wants any more."""
    if done.large is not None and done.large.http.rest is not None:
        done.large.http.rest.abandon()
    if room is not None and done.reply is not None:
        room.give_back(done.held)
        done.held = 0


def _over(done: Attempt, room: Room | None) -> None:
    done.candidate.channel.in_flight -= 1
    if room is not None and done.reply is None:
        room.give_back(done.held)
        done.held = 0


def _went_wrong(
    done: Attempt, error: BrokenReply | UpstreamFault, method: Method, started: float, now: float, fair_s: float
) -> None:
    """There was no answer that can be read."""
    if isinstance(error, BrokenReply):
        _failed(done, method, VERDICTS[Category.PROVIDER_ERROR], broken_reply(), now - started)
    elif isinstance(error, Expired) and not error.local:
        _expired(done, method, error.dispatched, started, now, fair_s)
    else:
        _faulted(done, method, error, now - started)


async def _take(
    done: Attempt,
    http: HttpReply,
    id_: int,
    method: Method,
    client_id: bytes,
    started: float,
    until: float,
    stream: bool,
    clock: Callable[[], float],
    room: Room | None,
) -> None:
    """Read what is left of the answer, and judge it."""
    now = clock()
    done.seconds = now - started
    if http.rest is not None:
        if stream and http.status == 200 and _let_through(done, http, id_, client_id, method):
            _succeeded(done, method, now)
            return
        http.body = await _whole(done, http, until, room)
        now = clock()
        done.seconds = now - started
    if room is not None:
        _hold(done, room, len(http.body))
    if http.status == 200:
        done.reply = _checked(done.candidate, http, id_)
        if done.reply.error is None:
            _succeeded(done, method, now)
            return
    _judge(done, http, id_, method)


def _checked(candidate: Candidate, http: HttpReply, id_: int) -> Reply:
    """The reply in `http`. Raises BrokenReply; one to another request ends its connection: more of them may follow."""
    try:
        return check(http.body, id_)
    except BrokenReply as broken:
        pool = candidate.channel.pool
        if pool is not None and broken.reason == "id_mismatch":
            pool.distrust(http)
        raise


def _let_through(done: Attempt, http: HttpReply, id_: int, client_id: bytes, method: Method) -> bool:
    passing = recognise(http.body, id_, client_id)
    if passing is not None:
        done.large = Large(passing, http, done.candidate, method)
    return passing is not None


async def _whole(done: Attempt, http: HttpReply, until: float, room: Room | None) -> bytes:
    """Read a long answer to its end; the pool's cap and `room` bound it. Raises an UpstreamFault."""
    assert http.rest is not None
    pieces, size = [http.body], len(http.body)
    try:
        _hold(done, room, max(size, http.content_length or 0))  # at once, if it is known: what will not fit is not read
        with trio.CancelScope(deadline=until):
            async for piece in http.rest:
                size += len(piece)
                _hold(done, room, size)
                pieces.append(piece)
            return b"".join(pieces)
        raise Expired("deadline")
    finally:
        await http.rest.aclose()


def _hold(done: Attempt, room: Room | None, size: int) -> None:
    """Have `size` bytes in all taken for this attempt. Raises TooLarge."""
    if room is not None and size > done.held:
        room.take(size - done.held)
        done.held = size


def _succeeded(done: Attempt, method: Method, now: float) -> None:
    """A result, or an error for which the provider is not to blame: it answered, and this fast."""
    done.final = True
    tally = done.candidate.tally
    tally.answered += 1
    tally.seconds += done.seconds
    tally.rates.add(now)
    done.candidate.channel.succeeded(method.row, done.seconds, now, done.verdict)


def _judge(done: Attempt, http: HttpReply, id_: int, method: Method) -> None:
    """An error answer: JSON-RPC's in any status, or a bare HTTP one."""
    pool = done.candidate.channel.pool
    body = http.body if pool is None else pool.endpoint.without_keys(http.body)
    if http.status != 200 or body != http.body:
        http.body = body
        done.reply = _error_in(done.candidate, http, id_)
    rules = done.candidate.provider.capabilities.error_rules
    refused = done.reply.error if done.reply is not None else None
    code, text = (
        (None, http.body[:2048].decode("utf-8", "replace")) if refused is None else (refused.code, refused.text)
    )
    data = None if refused is None else refused.data or None
    verdict = classify(http.status, code, text, data, rules, method.name)
    channel = done.candidate.channel
    channel.unknown.hear(verdict, http.status, code, text, channel.instance_id, trio.current_time())
    error = None if refused is not None else upstream_http_status(http.status)
    done.verdict, done.error = verdict, error
    if verdict.kind == "deterministic":
        _succeeded(done, method, trio.current_time())
        return
    _failed(done, method, verdict, error, done.seconds, _hint(http, done, verdict), text)
    if http.status == 503 and verdict.counts:
        _unavailable(http, channel)


def _error_in(candidate: Candidate, http: HttpReply, id_: int) -> Reply | None:
    """The JSON-RPC error that an HTTP error carries, if it does."""
    try:
        reply = _checked(candidate, http, id_)
    except BrokenReply:
        return None
    return reply if reply.error is not None else None


def _hint(http: HttpReply, done: Attempt, verdict: Verdict) -> Hint:
    """What a refusal says of its limit; a bare HTTP one may say it in the body."""
    if verdict.kind != "quota":
        return NO_HINT
    refused = done.reply.error if done.reply is not None else None
    text, data = http.body[:2048].decode("utf-8", "replace"), None
    if refused is not None:
        text, data = refused.text, refused.data or None
    return hint_in(http.header, data, text, datetime.now(UTC).timestamp())


def _unavailable(http: HttpReply, channel: Channel) -> None:
    """A 503 may say when it is over (RFC 9110 §15.6.4): until then it is asked last. It is a guess, and maybe that of a
    proxy in between: a provider that is back sooner is found out within minutes.
    """
    ends = http.header(b"retry-after")
    if ends is not None and (seconds := from_header(ends, datetime.now(UTC).timestamp())):
        channel.cool(trio.current_time(), min(seconds, LONGEST_UNAVAILABLE_S))


def _failed(
    done: Attempt,
    method: Method,
    verdict: Verdict,
    error: RpcError | None,
    seconds: float,
    hint: Hint = NO_HINT,
    text: str = "",
) -> None:
    """`text`: what the upstream said, which may teach a limit."""
    now = trio.current_time()
    done.verdict, done.error, done.seconds = verdict, error, seconds
    # A code that nobody has reported is the provider's last word too: nobody else is likely to know better.
    done.final = not verdict.retriable and done.reply is not None
    tally = done.candidate.tally
    tally.rates.add(now)
    tally.throttled += verdict.kind == "quota"
    tally.failures += verdict.counts
    done.candidate.channel.failed(method.row, verdict, seconds, now, hint.seconds, hint.per_second, text)


def _faulted(done: Attempt, method: Method, fault: UpstreamFault, seconds: float) -> None:
    verdict = classify_fault(fault)
    done.dispatched = fault.dispatched
    done.reply = done.large = None
    if fault.local:
        error = local_capacity()
    else:
        error = reply_too_large() if isinstance(fault, TooLarge) else upstream_unreachable(fault.reason)
    _failed(done, method, verdict, error, seconds)


def _expired(done: Attempt, method: Method, dispatched: bool, started: float, now: float, fair_s: float) -> None:
    tally, channel, seconds = done.candidate.tally, done.candidate.channel, now - started
    done.reply = done.large = None
    done.dispatched, done.seconds = dispatched, seconds
    done.verdict, done.error = VERDICTS[Category.TIMEOUT], request_timeout()
    tally.rates.add(now)
    if seconds < fair_s:
        channel.row(method.row).record_censored(seconds, now)
        channel.abandoned(started)
        return
    tally.failures += 1
    channel.expired(method.row, done.verdict, seconds, now)
