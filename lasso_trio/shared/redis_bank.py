"""The bank of client limits on the engine: all reports of a round in one script, atomic, one round trip.

The script's arithmetic is that of `workers.bank.Account`, in the engine's clock; a test compares the two. A bucket is
a hash: its level, when that was, and what each member was asked for lately. It expires when it would be full again.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite
from typing import Any, Final

import attrs
import trio

from lasso_trio.routing.lease import LATEST_S, MEMORY_S, Bank, BankFault, Lease, Report
from lasso_trio.shared.keys import Keys
from lasso_trio.shared.lane import Lane
from lasso_trio.shared.line import EngineFault

TIMEOUT_S: Final = 0.25
SCRIPT: Final = """
local member, latest, memory = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local leases = {}
for i, key in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[4 * i]), tonumber(ARGV[4 * i + 1])
  local spent, asked = tonumber(ARGV[4 * i + 2]), tonumber(ARGV[4 * i + 3])
  local most = burst + rate * latest
  local level, at, whole, mine = most, now, 0, asked
  local kept, gone = {}, {}
  local fields = redis.call('HGETALL', key)
  for j = 1, #fields, 2 do
    if fields[j] == 'level' then level = tonumber(fields[j + 1])
    elseif fields[j] == 'at' then at = tonumber(fields[j + 1])
    end
  end
  local passed = math.max(0, now - at)
  local faded = math.exp(-passed / memory)
  for j = 1, #fields, 2 do
    local who = string.match(fields[j], '^m:(.*)$')
    if who then
      local left = tonumber(fields[j + 1]) * faded
      if who == member then mine = mine + left
      elseif left > 0.01 then
        whole = whole + left
        table.insert(kept, fields[j])
        table.insert(kept, string.format('%.17g', left))
      else table.insert(gone, fields[j])
      end
    end
  end
  whole = whole + mine
  level = math.max(-most, math.min(most, level + passed * rate - spent))
  table.insert(kept, 'm:' .. member)
  table.insert(kept, string.format('%.17g', mine))
  if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
  redis.call('HSET', key, 'level', string.format('%.17g', level), 'at', string.format('%.17g', now), unpack(kept))
  redis.call('PEXPIRE', key, math.ceil(1000 * math.max((most - level) / rate, 2 * memory)))
  local share = 1
  if whole > 0 then share = mine / whole end
  table.insert(leases, string.format('%.17g', level))
  table.insert(leases, string.format('%.17g', share))
end
return leases
"""


@attrs.define(eq=False)
class RedisBank:
    """`member`: this process, for the others. After a fault it is not asked again for a while."""

    lane: Lane
    keys: Keys
    member: str
    _rests_until: float = -inf

    async def settle(self, reports: Sequence[Report]) -> Sequence[Lease]:
        if trio.current_time() < self._rests_until:
            raise BankFault(self.lane.reason)
        try:
            return await self._settle(reports)
        except (EngineFault, ValueError, TypeError) as fault:
            self._rests_until = trio.current_time() + self.lane.delay_s()
            raise BankFault(str(fault)) from fault

    async def _settle(self, reports: Sequence[Report]) -> Sequence[Lease]:
        names = [self.keys.bucket(report) for report in reports]
        terms = [term for r in reports for term in (r.rate, r.burst, r.spent, r.asked)]
        script = ("EVAL", SCRIPT, len(names), *names, self.member, LATEST_S, MEMORY_S, *terms)
        (told,) = await self.lane.ask(script, timeout_s=TIMEOUT_S)
        return _leases(told, len(reports))


@attrs.frozen(eq=False)
class NearerBank:
    """The cluster's bank, and while that does not answer the node's: workers stay one node for their clients."""

    cluster: Bank
    node: Bank

    async def settle(self, reports: Sequence[Report]) -> Sequence[Lease]:
        try:
            return await self.cluster.settle(reports)
        except BankFault:
            return await self.node.settle(reports)


def _leases(told: list[Any], count: int) -> list[Lease]:
    """Raises ValueError or TypeError for what the script does not answer."""
    numbers = [float(each) for each in told]
    if len(numbers) != 2 * count:
        raise ValueError("leases are missing")
    if not (all(map(isfinite, numbers)) and all(0 < share <= 1 for share in numbers[1::2])):
        raise ValueError("no leases")  # somebody else wrote there: what calls are to be counted by is ours to check
    return [Lease(level, share) for level, share in zip(numbers[::2], numbers[1::2], strict=True)]
