"""One simulated node: answers any JSON-RPC method from a `Site`, and remembers filters and sent transactions.

Its memory is bounded: the oldest filter goes when there are too many. This is also where a mistake in a method is
contained: it becomes an internal error, as it would on a real node.
"""

from __future__ import annotations

from itertools import count
from typing import Final

import attrs

from lasso_trio.devnet import logs
from lasso_trio.devnet import params as read
from lasso_trio.devnet.chain import Chain
from lasso_trio.devnet.errors import INVALID_PARAMS, SERVER_ERROR, NodeError, invalid, unknown_method
from lasso_trio.devnet.json_types import Json, JsonObject
from lasso_trio.devnet.logs import LogFilter
from lasso_trio.devnet.methods import METHODS, Site
from lasso_trio.devnet.params import Params
from lasso_trio.devnet.watch import Watch

MOST_FILTERS: Final = 256


@attrs.define
class PolledFilter:
    """`query` is the filter object of `eth_newFilter`; None for block filters, and `watch` None for pending ones."""

    watch: Watch | None
    query: Json = None


@attrs.define
class Node:
    chain: Chain
    _filters: dict[str, PolledFilter] = attrs.field(factory=dict, init=False)
    _ids: count[int] = attrs.field(factory=lambda: count(1), init=False)

    def answer(self, method: str, params: Json, site: Site) -> Json:
        """The result. Raises `NodeError`, and nothing else."""
        if params is not None and not isinstance(params, list):
            raise NodeError(INVALID_PARAMS, "non-array args")
        try:
            return self._answer(method, params or [], site)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError, RecursionError) as mistake:
            raise NodeError(-32603, f"internal error: {mistake!r:.200}") from mistake

    def _answer(self, method: str, params: Params, site: Site) -> Json:
        if stateless := METHODS.get(method):
            found = stateless(site, params)
            return self._pending(params) if found is None and method == "eth_getTransactionByHash" else found
        match method:
            case "eth_sendRawTransaction":
                return self._send(params)
            case "eth_newFilter":
                query = read.at(params, 0)
                return self._keep(PolledFilter(Watch(site.view, LogFilter.read(query)), query))
            case "eth_newBlockFilter":
                return self._keep(PolledFilter(Watch(site.view)))
            case "eth_newPendingTransactionFilter":
                return self._keep(PolledFilter(None))
            case "eth_uninstallFilter":
                return self._filters.pop(str(read.at(params, 0)), None) is not None
            case "eth_getFilterChanges":
                return self._changes(params, site)
            case "eth_getFilterLogs":
                return logs.get_logs(site.view, self._filter(params).query or {}, site.log_range)
        raise unknown_method(method)

    def _send(self, params: Params) -> str:
        raw = read.data(params, 0)
        if raw == "0x":
            raise invalid(0, "transaction is empty")
        hash_ = self.chain.accept_transaction(raw)
        if hash_ is None:
            raise NodeError(SERVER_ERROR, "already known")
        return hash_

    def _pending(self, params: Params) -> JsonObject | None:
        """As little of a sent transaction as is known without reading it."""
        hash_ = read.data(params, 0, 32)
        if not self.chain.is_pending(hash_):
            return None
        return {"hash": hash_, "blockHash": None, "blockNumber": None, "transactionIndex": None}

    def _keep(self, filter_: PolledFilter) -> str:
        if len(self._filters) >= MOST_FILTERS:
            del self._filters[next(iter(self._filters))]
        id_ = hex(next(self._ids))
        self._filters[id_] = filter_
        return id_

    def _filter(self, params: Params) -> PolledFilter:
        found = self._filters.get(str(read.at(params, 0)))
        if found is None:
            raise NodeError(SERVER_ERROR, "filter not found")
        return found

    def _changes(self, params: Params, site: Site) -> list[Json]:
        watch = self._filter(params).watch
        if watch is None:
            return []
        news = list(watch.news(site.view))
        return [header["hash"] for header in news] if watch.wanted is None else news
