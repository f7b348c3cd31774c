"""A real failover: the provider that answers is cordoned by the admin API, others must answer, and it is taken back.

It is taken back whatever happens, Ctrl-C included: the order goes out from behind a shield that has a deadline. Nothing
is cordoned where some profile would be left without a healthy provider; that is decided purely, on the node's own rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

import attrs
import trio

from lasso_trio.check.caller import Caller, Said
from lasso_trio.check.facts import FailoverSeen
from lasso_trio.config.secret import Secret

CALLS: Final = 5
RESTORE_S: Final = 5.0
TRIES: Final = 3
SETTLE_S: Final = 0.25
"""Between the order and the calls: a node of several workers has obeyed when the last of them has heard of it."""
METHOD: Final = "eth_gasPrice"
"""Small, asked of a provider, and the same for everybody."""
_FRESH: Final = {"x-lasso-cache": "bypass"}

Row = Mapping[str, Any]


@attrs.frozen
class Cordon:
    """`url`: where calls are made, with metadata in the body. `ops`: where the admin API is."""

    caller: Caller
    url: str
    ops: str
    token: Secret
    remark: Callable[[str], None]
    """Told what somebody must know even if the check is broken off."""

    async def run(self) -> FailoverSeen:
        """Raises nothing but what cancels; then too the provider is taken back."""
        before = await self._ask()
        name = name_of(before)
        if before.problem or name is None:
            return FailoverSeen(fault=before.problem or "the answer does not say which provider it is from")
        if len(before.meta.get("candidate_providers") or ()) == 1:
            return FailoverSeen(before.provider, alone=True)
        page = await self.caller.get(f"{self.ops}/admin/providers", self._authorization)
        if page.status != 200:
            return FailoverSeen(before.provider, fault=f"/admin/providers: {page.said}")
        if reason := refusal(page.row.get("instances") or (), name):
            return FailoverSeen(before.provider, fault=reason)
        return await self._cordoned(before.provider, name)

    async def _cordoned(self, provider: str, name: str) -> FailoverSeen:
        answers: list[Said] = []
        heard_by = trio.current_time() + SETTLE_S
        try:
            fault = await self._order(name, "cordon")
            if not fault:
                heard_by = trio.current_time() + SETTLE_S
                await trio.sleep_until(heard_by)
                answers = [await self._ask() for _ in range(CALLS)]
        finally:  # also when the order seems to have failed: its answer may have been lost and not the order
            lost = "no answer in time"
            with trio.CancelScope(deadline=trio.current_time() + RESTORE_S, shield=True):
                await trio.sleep_until(heard_by)  # a worker that hears of the cordon after its end would keep it
                lost = await self._restore(name)
            if lost:
                self.remark(f"{name} may still be cordoned ({lost}): POST {self.ops}/admin/providers/{name}/uncordon")
        faults = [
            said.problem or "it is not said who answered" for said in answers if said.problem or not said.provider
        ]
        return FailoverSeen(
            provider,
            tuple(said.provider for said in answers if said.provider),
            cordoned=bool(answers) or bool(lost),
            restored=not lost,
            fault=lost or fault or next(iter(faults), ""),
        )

    async def _restore(self, name: str) -> str:
        """Why it could not be taken back; empty when it was."""
        faults = [await self._order(name, "uncordon")]
        while faults[-1] and len(faults) < TRIES:
            faults.append(await self._order(name, "uncordon"))
        return faults[-1]

    async def _order(self, name: str, order: str) -> str:
        """Why the node did not obey; empty when it did."""
        url = f"{self.ops}/admin/providers/{quote(name)}/{order}"
        page = await self.caller.page("POST", url, self._authorization)
        if page.status != 200:
            return f"{order}: {page.said}"
        return "" if page.row.get("cordoned") is (order == "cordon") else f"{order}: the node did not do it"

    async def _ask(self) -> Said:
        return await self.caller.call(self.url, METHOD, [], _FRESH)

    @property
    def _authorization(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token.reveal()}"}


def name_of(said: Said) -> str | None:
    """`profile/chain/provider` of who answered."""
    profile, chain = said.meta.get("profile"), said.meta.get("chain")
    return f"{profile}/{chain}/{said.provider}" if profile and chain and said.provider else None


def refusal(rows: Iterable[Row], name: str) -> str:
    """Why the instance called `name` must not be cordoned; empty when every chain that names it has somebody else."""
    all_ = list(rows)
    mine = [row for row in all_ if name in row.get("names", ())]
    if not mine:
        return f"the node does not list {name}"
    others = [chain for row in all_ if row not in mine and is_healthy(row) for chain in chains_of(row)]
    lonely = sorted({chain for row in mine for chain in chains_of(row)} - set(others))
    return f"nobody else is healthy on {', '.join(lonely)}: nothing was cordoned" if lonely else ""


def chains_of(row: Row) -> list[str]:
    """`profile/chain` of each of its names."""
    return [name.rpartition("/")[0] for name in row.get("names", ())]


def is_healthy(row: Row) -> bool:
    """Whether calls can be sent to it over HTTP now."""
    return not row.get("cordoned") and any(
        channel.get("transport") == "http" and channel.get("live") and not channel.get("cooldown_ms")
        and channel.get("circuit_breaker", {}).get("state") == "closed"
        for channel in row.get("channels", ())
    )  # fmt: skip
