"""The checks over HTTP, each a short conversation with one asker that ends in a value of `finding`.

A check never raises and never judges an endpoint as a whole. One that is throttled in the middle says how far it came.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import attrs

from lasso_trio.jsonrpc.methods import known
from lasso_trio.probe.answer import Answer, Told
from lasso_trio.probe.asker import Asker
from lasso_trio.probe.finding import Bound, Head, Http, Latency, latency
from lasso_trio.probe.methods import ADDRESS, Trial, judge, trials
from lasso_trio.probe.search import Search, rungs
from lasso_trio.providers.learned import Kind
from lasso_trio.providers.limit_texts import read_limits

LOG_STEPS: Final = (1, 10, 100, 500, 1_000, 2_000, 5_000, 10_000, 25_000, 50_000, 100_000)
DEPTH_STEPS: Final = (0, 64, 128, 256, 1_024, 8_192, 65_536, 524_288, 4_194_304)
BATCH_STEPS: Final = (10, 50, 100)
BROAD_BLOCKS: Final = 100
"""How many blocks are searched for logs of anybody, to meet a limit on results."""
_FILTER_MAKERS: Final = frozenset({"eth_newFilter", "eth_newBlockFilter", "eth_newPendingTransactionFilter"})
_SIZE_KINDS: Final = frozenset({Kind.RESULTS, Kind.BYTES, Kind.ADDRESSES})
_HIGHEST: Final = 1 << 63


def quantity(value: object) -> int | None:
    """A JSON-RPC quantity (`0x…`); None for anything else, whatever it is."""
    if not isinstance(value, str) or not value.startswith("0x") or len(value) > 18:
        return None
    try:
        number = int(value, 16)
    except ValueError:
        return None
    return number if 0 <= number < _HIGHEST else None


async def client_version(asker: Asker) -> str | None:
    answer = await asker.ask("web3_clientVersion", [])
    return asker.target.clean(answer.result) if answer.good and isinstance(answer.result, str) else None


async def measure(asker: Asker) -> Latency | None:
    """Of `eth_blockNumber`; calls that got no result do not count, and three in a row end it."""
    seconds: list[float] = []
    misses = 0
    for _ in range(asker.manners.samples):
        answer = await asker.ask("eth_blockNumber", [])
        if answer.good:
            seconds.append(answer.seconds)
        misses = 0 if answer.good else misses + 1
        if misses == 3:
            break
    return latency(seconds)


async def newest(asker: Asker) -> tuple[Head | None, Http | None]:
    """The head, and what the answer with it tells about HTTP."""
    answer = await asker.ask("eth_getBlockByNumber", ["latest", False])
    block = answer.result if isinstance(answer.result, dict) else {}
    number, stamp = quantity(block.get("number")), quantity(block.get("timestamp"))
    wall = datetime.now(UTC).timestamp()
    head = None
    if number is not None:
        head = Head(number, None if stamp is None else round(wall - stamp, 1), skew(answer.headers.get("date"), wall))
    return head, _http(asker, answer)


def skew(date: str | None, wall: float) -> float | None:
    """Seconds by which a `Date` (RFC 9110, whole seconds) is ahead of `wall`; its fraction is unknown, so ±1."""
    try:
        return None if date is None else round(parsedate_to_datetime(date).timestamp() - wall, 1)
    except (ValueError, OverflowError):
        return None


async def archive_depth(asker: Asker, head: int) -> Bound:
    """How far below `head` a balance can be read. Genesis is asked first: most endpoints have all or little."""
    search = Search(rungs(DEPTH_STEPS, head), floor=-1)

    async def ask(depth: int) -> Answer:
        return await asker.ask("eth_getBalance", [ADDRESS, hex(head - depth)])

    if (await ask(head)).good:
        return Bound(head, open=True)
    return await _bound(asker, attrs.evolve(search, refused=head), ask, lambda _answer: None)


async def log_range(asker: Asker, head: int) -> tuple[Bound, dict[str, int]]:
    """How many blocks (both ends counted) one `eth_getLogs` may span, and further limits that refusals named."""
    learned: dict[str, int] = {}
    oldest = min(head + 1, LOG_STEPS[-1])

    async def ask(blocks: int) -> Answer:
        return await _logs(asker, head - blocks + 1, head, address=ADDRESS)

    def hint(answer: Answer) -> int | None:
        return _learn(answer, learned)

    return await _bound(asker, Search(rungs(LOG_STEPS, oldest)), ask, hint), learned


async def log_results(asker: Asker, head: int, taken: int) -> dict[str, int]:
    """Limits named when logs of anybody are asked for, over no more than `taken` blocks."""
    learned: dict[str, int] = {}
    blocks = min(taken, BROAD_BLOCKS, head + 1)
    _learn(await _logs(asker, head - blocks + 1, head, address=None), learned)
    return learned


async def batch_size(asker: Asker) -> Bound:
    """The largest of a few sizes that is taken. A larger one may be; nobody should send it."""
    taken: int | None = None
    for size in BATCH_STEPS:
        answer = await asker.ask_batch("eth_chainId", size)
        if not answer.good:
            return Bound(taken, why=asker.target.clean(answer.words))
        taken = size
    return Bound(taken, open=True)


async def try_methods(asker: Asker, level: str, tell: Callable[[], None]) -> tuple[Trial, ...]:
    """Every method of the level once; `tell` is called behind each."""
    found: list[Trial] = []
    for method, params in trials(level):
        answer = await asker.ask(method, params)
        found.append(_trial(asker, method, answer))
        if method in _FILTER_MAKERS and answer.good:
            await asker.ask("eth_uninstallFilter", [answer.result])
        tell()
    return tuple(found)


def _trial(asker: Asker, method: str, answer: Answer) -> Trial:
    row = known(method)
    why = "" if answer.good else asker.target.clean(answer.words)
    return Trial(method, row.category if row else "unknown", judge(answer), round(answer.seconds * 1000, 1), why)


async def _bound(
    asker: Asker, search: Search, ask: Callable[[int], Awaitable[Answer]], hint: Callable[[Answer], int | None]
) -> Bound:
    """Run the search. Being throttled or cut off is no refusal: it ends the search with what is known."""
    why = ""
    while (size := search.next) is not None:
        answer = await ask(size)
        if answer.told in (Told.THROTTLED, Told.FAILED):
            return _as_bound(search, f"ended early: {asker.target.clean(answer.words)}")
        taken = answer.told in (Told.RESULT, Told.LARGE)
        why = why if taken else asker.target.clean(answer.words)
        search = search.heard(size, taken=taken, hint=None if taken else hint(answer))
    return _as_bound(search, why)


def _as_bound(search: Search, why: str) -> Bound:
    limit = search.accepted if search.accepted > search.floor else None
    return Bound(limit, open=search.took_all, exact=search.exact and limit is not None, why=why)


def _learn(answer: Answer, learned: dict[str, int]) -> int | None:
    """Keep what a refusal names besides blocks; the number of blocks is returned."""
    if answer.told is not Told.ERROR:
        return None
    told = {one.kind: one.value for one in read_limits(answer.text) if one.value}
    learned |= {kind.value: value for kind, value in told.items() if kind in _SIZE_KINDS}
    return told.get(Kind.BLOCKS)


async def _logs(asker: Asker, first: int, last: int, *, address: str | None) -> Answer:
    wanted: dict[str, Any] = {"fromBlock": hex(first), "toBlock": hex(last)}
    return await asker.ask("eth_getLogs", [wanted if address is None else wanted | {"address": address}])


def _http(asker: Asker, answer: Answer) -> Http | None:
    if not answer.http_version:
        return None
    secure = asker.target.url is not None and asker.target.url.reveal().lower().startswith("https:")
    http2 = answer.http_version == "HTTP/2" if secure else None
    return Http(answer.http_version, http2, answer.headers.get("content-encoding", "").lower() == "gzip")
