"""A board over a small configuration: profile `public`, chain `eth`, providers alpha (HTTP, WebSocket) and beta (HTTP).

Every URL and header holds `KEY`, so that any output can be searched for it.
"""

from __future__ import annotations

from random import Random
from typing import Any

import trio

from lasso_trio.config.profile import Chain, Profile, Provider, Routing, Selection, Strategy
from lasso_trio.config.profile_set import ProfileSet
from lasso_trio.config.secret import Secret, SecretUrl
from lasso_trio.config.settings import Settings
from lasso_trio.dashboard.board import Board
from lasso_trio.jsonrpc.errors import RpcError
from lasso_trio.jsonrpc.reply import Reply
from lasso_trio.jsonrpc.request import Request, decode
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.registry import Registry
from lasso_trio.routing.candidate import Candidate
from lasso_trio.routing.directory import Directory
from lasso_trio.routing.outcome import Outcome
from lasso_trio.routing.routed_chain import RoutedChain
from lasso_trio.routing.service import Served, Service
from lasso_trio.server.exchange import Exchange
from lasso_trio.server.routes import Route, Wish
from lasso_trio.supervision import Supervisor
from lasso_trio.telemetry.loop import LoopLag
from lasso_trio.telemetry.node import Node

KEY = "s3cr3t-k3y-0123456789"
NOW = 1_000.0
WALL = 1_800_000_000.0


def _pool(_: object) -> Any:  # noqa: ANN401
    return object()


def directory_of(*slugs: str, rate: int = 100_000) -> Directory:
    alpha = Provider(
        "alpha",
        "Alpha",
        "1:alpha:0",
        SecretUrl(f"https://alpha.example/v2/{KEY}"),
        SecretUrl(f"wss://alpha.example/{KEY}"),
        headers={"authorization": Secret(f"Bearer {KEY}")},
    )
    beta = Provider("beta", "Beta", "1:beta:0", SecretUrl(f"https://{KEY}@beta.example/?key={KEY}"))
    routing, selection = Routing(default_strategy=Strategy.PRIORITY), Selection(max_lag_blocks=3)
    chain = Chain("eth", 1, "Ethereum", (alpha, beta), aliases=("mainnet",), routing=routing, selection=selection)
    profiles = [
        Profile(slug, slug.title(), (chain,), rps_limit=rate, burst_limit=rate) for slug in slugs or ("public",)
    ]
    return Directory.of(ProfileSet.of(profiles), Registry(_pool, Random(1)))


def board_of(directory: Directory | None = None, *, service: Any = None, **settings: Any) -> Board:  # noqa: ANN401
    """Must be called inside `trio.run`. `service` may be a puppet's."""
    found = directory or directory_of()
    node = Node("n1", trio.current_time() - 60.0)
    board = Board(Settings(**settings), node, lambda: found, service or Service(Random(1)), Supervisor(), LoopLag())
    board.wall = lambda: WALL
    return board


def routed_of(board: Board) -> RoutedChain:
    return board.directory().default.chains[0]


def candidate(board: Board, label: str) -> Candidate:
    return next(c for c in routed_of(board).candidates if c.label == label)


def channel(board: Board, label: str) -> Channel:
    return candidate(board, label).channel


def answered(board: Board, label: str, n: int, seconds: float, method: str = "eth_call", now: float = NOW) -> None:
    """`label` answered `n` calls in `seconds` each, and the chain counted them."""
    who, counts = candidate(board, label), routed_of(board).counts
    for _ in range(n):
        who.channel.succeeded(method, seconds, now)
        who.tally.attempts += 1
        who.tally.answered += 1
        who.tally.seconds += seconds
        who.tally.rates.add(now)
        counts.calls += 1
        counts.call_rate.add(now)


def collect(board: Board, now: float = NOW, wall: float = WALL) -> None:
    for _ in board.collector.round(board.directory(), now, wall):
        pass


def request_of(method: str = "eth_call", params: str = "[]") -> Request:
    made = decode(b'{"jsonrpc":"2.0","id":0,"method":"%b","params":%b}' % (method.encode(), params.encode()))
    assert isinstance(made, Request)
    return made


def exchange_of(board: Board, started: float, id_: str = "r1") -> Exchange:
    profile = board.directory().default
    return Exchange(Route("/rpc/eth", Wish(), profile, profile.chains[0]), id_, started)


def reply_of(result: bytes = b'"0x1"') -> Reply:
    return Reply(b'{"jsonrpc":"2.0","id":', b',"result":%b}' % result, None, len(result), result[0])


def served_by(board: Board, label: str | None = "alpha:http", **outcome: Any) -> Served:  # noqa: ANN401
    """A good call, unless `error` is given."""
    who = None if label is None else candidate(board, label)
    what = {"reply": reply_of()} if "error" not in outcome else {}
    return Served(Outcome(**what, candidate=who, reason="fastest", **outcome), Strategy.FASTEST)


def refusal(text: str = "no") -> RpcError:
    return RpcError(-32000, text, category="server_error")
