"""One call from the page: explained, and if wanted carried out on the way that all calls go.

It counts against the client limit of its profile like any other, is recorded like any other, and its answer is held
whole, within the node's bound for one. What is shown of a result is cut. Its attempts are written down
(`routing.trail`), so that a race can be shown with those who lost it.
"""

from __future__ import annotations

from math import inf
from typing import Any, Final

import msgspec
import trio

from lasso_trio.config.profile import STRATEGY_NAMES, Transport
from lasso_trio.dashboard.activity import error_of
from lasso_trio.dashboard.board import Board
from lasso_trio.dashboard.provider_view import milliseconds
from lasso_trio.errors import LassoError
from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.jsonrpc.methods import WEBSOCKET_ONLY
from lasso_trio.jsonrpc.request import Request, decode
from lasso_trio.routing.client_limit import client_key
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.room import Room
from lasso_trio.routing.service import Served, Wish
from lasso_trio.routing.trail import Step, Trail
from lasso_trio.server import request_id
from lasso_trio.server.exchange import Exchange
from lasso_trio.server.routes import Route
from lasso_trio.telemetry.scrub import scrub

Row = dict[str, Any]
SHOWN_BYTES: Final = 65_536
MOST_HEDGE_MS: Final = 600_000
MOST_LANES: Final = 24
"""A call that is cut into parts may have hundreds of attempts."""


class Ask(msgspec.Struct):
    """What the page sends. `hedge`: `off`, or after how many milliseconds; None: as the profile has it."""

    chain: str
    method: str
    params: msgspec.Raw = msgspec.Raw(b"[]")
    profile: str = "default"
    strategy: str | None = None
    provider: str | None = None
    transport: str | None = None
    hedge: str | int | float | None = None
    carry_out: bool = True


class _Answer(msgspec.Struct):
    result: msgspec.Raw = msgspec.Raw(b"null")


read: Final = msgspec.json.Decoder(Ask).decode
_read_answer: Final = msgspec.json.Decoder(_Answer).decode


class Refused(LassoError):
    """Why a call is not even tried: an HTTP status, and the words as JSON."""

    def __init__(self, status: int, body: Row) -> None:
        super().__init__(body["error"])
        self.status, self.body = status, body


async def try_call(board: Board, ask: Ask, host: str) -> Row:
    """`host`: the client's address. Raises Refused."""
    route, request = _checked(board, ask)
    if ask.carry_out:
        _check_access(board, route, request)
    now = trio.current_time()
    wait = route.routed_profile.limit.take(client_key(host), 1, now)
    if wait:
        route.routed_chain.counts.limited += 1
        raise Refused(429, {"error": "Rate limit exceeded", "retry_after_ms": int(wait * 1000) + 1})
    explained = board.service.explain(route.routed_chain, route.wish, request, now)
    outcome = await _carried_out(board, route, request, now) if ask.carry_out else None
    return {"explain": explained, "outcome": outcome}


def _checked(board: Board, ask: Ask) -> tuple[Route, Request]:
    profile = board.directory().find(ask.profile)
    chain = None if profile is None else profile.names.get(ask.chain)
    if chain is None:
        raise Refused(404, {"error": "no such profile or chain"})
    body = b'{"jsonrpc":"2.0","id":0,"method":%b,"params":%b}' % (msgspec.json.encode(ask.method), bytes(ask.params))
    try:
        request = decode(body)
    except RpcError as error:
        raise Refused(400, {"error": str(error)}) from None
    if not isinstance(request, Request):
        raise Refused(400, {"error": "method must be a name and params a list"})
    if request.method.name in WEBSOCKET_ONLY:
        raise Refused(400, {"error": "this method needs a WebSocket client"})
    return Route("/dashboard/api/try", _wish(ask), profile, chain), request


def _check_access(board: Board, route: Route, request: Request) -> None:
    """Who logged in may call without a key; where nobody has to, the page is no way around one. Raises Refused."""
    policy = route.routed_chain.profile.access
    is_open = board.settings.dashboard_password is None and not board.settings.dashboard_users
    if is_open and not policy.lets_anybody_in:
        raise Refused(403, {"error": "this profile lets in only clients it knows; give the dashboard a password first"})
    if not policy.methods.permits(request.method.name):
        raise Refused(403, {"error": "this profile does not allow the method"})


def _wish(ask: Ask) -> Wish:
    """Raises Refused for words that mean nothing."""
    strategy = STRATEGY_NAMES.get(ask.strategy or "")
    if ask.strategy and strategy is None:
        raise Refused(400, {"error": "no such strategy"})
    if ask.transport not in (None, "", "http", "ws"):
        raise Refused(400, {"error": "transport must be http or ws"})
    transport = Transport(ask.transport) if ask.transport else None
    return Wish(strategy, ask.provider or None, transport, hedge_s=_hedge_s(ask.hedge))


def _hedge_s(hedge: str | float | None) -> float | None:
    if hedge is None or hedge == "":
        return None
    if hedge == "off":
        return inf
    if isinstance(hedge, str) or not 0 < hedge <= MOST_HEDGE_MS:
        raise Refused(400, {"error": f"hedge must be 'off', or milliseconds up to {MOST_HEDGE_MS}"})
    return hedge / 1000


async def _carried_out(board: Board, route: Route, request: Request, now: float) -> Row:
    exchange = Exchange(route, request_id.made(), now)
    room, trail = Room(board.settings.max_response_bytes), Trail()
    served = await board.service.serve(
        route.routed_chain, route.wish, request, now, stream=False, room=room, trail=trail
    )
    ended = trio.current_time()
    if board.doors:
        board.doors[0][0].record(exchange, request, served, ended)
    trail.end(ended)
    return outcome_row(served, ended - now, timeline(trail.steps, served.outcome, now))


def outcome_row(served: Served, total_s: float, lanes: list[Row]) -> Row:
    """What became of the call, as the page shows it. `lanes`: see `timeline`."""
    outcome = served.outcome
    who = outcome.candidate
    return {
        "ok": not outcome.failed,
        **_result(outcome),
        "error": _error(outcome),
        "provider": None if who is None else who.provider.id,
        "transport": None if who is None else who.transport.value,
        "reason": outcome.reason,
        "retries": outcome.retries,
        "hedges": outcome.hedges,
        "hedge_won": outcome.hedge_won,
        "hedge_delay_ms": milliseconds(outcome.hedge_delay_s) if outcome.hedges else None,
        "saved_ms": milliseconds(outcome.saved_s) if outcome.hedge_won else None,
        "selection_ms": _fine_ms(outcome.selection_s),
        "upstream_ms": _fine_ms(outcome.upstream_s),
        "total_ms": _fine_ms(total_s),
        "cache": outcome.cache,
        "timeline": lanes,
    }


def _fine_ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _result(outcome: Outcome) -> Row:
    if outcome.failed or outcome.reply is None:
        return {"result": None, "result_bytes": 0, "truncated": False}
    text = bytes(_read_answer(outcome.reply.splice(b"0")).result)
    shown = text[:SHOWN_BYTES].decode("utf-8", "replace")
    return {"result": shown, "result_bytes": len(text), "truncated": len(text) > SHOWN_BYTES}


def _error(outcome: Outcome) -> Row | None:
    if not outcome.failed:
        return None
    code, category, message = error_of(outcome)
    return {"code": code, "category": category, "message": scrub(message)}


def timeline(steps: list[Step], outcome: Outcome, began: float) -> list[Row]:
    """Each attempt: who, when, how long, and how it ended. `began`: the call, on trio's clock.

    `end`: `won` (its answer was taken, be it an error), `failed`, `lost` (given up; it took that long at least), or
    `outdone` (answered, and another's answer was better).
    """
    winner = _winner(steps, outcome)
    return [_lane(step, began, step is winner) for step in steps[:MOST_LANES]]


def _winner(steps: list[Step], outcome: Outcome) -> Step | None:
    """The last one that was heard of him whose answer was taken."""
    who = outcome.candidate
    if who is None or outcome.reply is None:
        return None
    its = [s for s in steps if (s.provider, s.transport) == (who.provider.id, str(who.transport)) and not s.cancelled]
    return its[-1] if its else None


def _lane(step: Step, began: float, won: bool) -> Row:
    ended = step.started if step.ended is None else step.ended
    return {
        "kind": step.role,
        "provider": step.provider,
        "transport": step.transport,
        "start_ms": _fine_ms(step.started - began),
        "end_ms": _fine_ms(ended - began),
        "took_ms": _fine_ms(ended - step.started),
        "end": _end(step, won),
        "category": step.category,
    }


def _end(step: Step, won: bool) -> str:
    if won:
        return "won"
    if step.cancelled:
        return "lost"
    return "outdone" if step.category is None else "failed"
