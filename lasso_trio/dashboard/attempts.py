"""How often somebody may try a password: a few times a minute from one address, and not too often from all together.

Pure: the clock (seconds) is passed in. Memory is bounded whatever comes.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import attrs

from lasso_trio.routing.client_limit import Bucket, client_key

EACH: Final = 5
ALL: Final = 50
SPAN_S: Final = 60.0
"""So many failures refill within so many seconds."""
MOST_ADDRESSES: Final = 4096
_ALL: Final = "*"


@attrs.define(eq=False)
class Attempts:
    """Failures only are counted: who knows the password is not slowed down by others, until they are very many."""

    _buckets: OrderedDict[str, Bucket] = attrs.field(factory=OrderedDict)

    def wait_s(self, address: str, now: float) -> float:
        """0.0 if another try is allowed now; else in how many seconds."""
        return max(self._wait(client_key(address), EACH, now), self._wait(_ALL, ALL, now))

    def failed(self, address: str, now: float) -> None:
        for key, most in ((client_key(address), EACH), (_ALL, ALL)):
            bucket = self._bucket(key, most, now)
            bucket.tokens -= 1.0

    def _wait(self, key: str, most: int, now: float) -> float:
        tokens = self._bucket(key, most, now).tokens
        return 0.0 if tokens >= 1.0 else (1.0 - tokens) * SPAN_S / most

    def _bucket(self, key: str, most: int, now: float) -> Bucket:
        bucket = self._buckets.setdefault(key, Bucket(float(most), now))
        self._buckets.move_to_end(key)
        bucket.tokens = min(float(most), bucket.tokens + (now - bucket.at) * most / SPAN_S)
        bucket.at = now
        while len(self._buckets) > MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        return bucket
