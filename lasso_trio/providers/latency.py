"""How fast and how reliable a channel has lately been: the evidence the ranking and the hedge timer read.

Owns `LogHistogram` (counts in logarithmic buckets) and `Evidence` (one per channel and method: two rotating windows, so
nothing older than two spans is ever believed). Pure: the clock is passed in, in seconds, and must not run backwards.

Two kinds of time are kept apart. A *latency* is a success that was seen to its end. A *censored* time is how long an
attempt had run when we stopped looking (lost a race, met its deadline): the answer would have taken at least that long.
Leaving those out would flatter slow channels, because only their lucky calls are ever seen to the end; so `quantile` is
the product-limit (Kaplan-Meier) estimate and `expected` divides all time spent by the answers that came of it.

Rate: `record` is on the path of every call and stays below a microsecond; quantiles are cached until the sample has
grown by 1/32.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, inf, log
from typing import Final

LOWEST_S: Final = 50e-6
HIGHEST_S: Final = 120.0
RELATIVE_ERROR: Final = 0.02

_GROWTH: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_PER_LOG: Final = 1 / log(_GROWTH)
_OFFSET: Final = -log(LOWEST_S) * _PER_LOG
_TOP: Final = int(log(HIGHEST_S) * _PER_LOG + _OFFSET) + 1
MIDDLES: Final = tuple(LOWEST_S * _GROWTH**i * (1 + RELATIVE_ERROR) for i in range(_TOP + 1))
"""The value that stands for bucket i: within `RELATIVE_ERROR` of both of its edges."""


class LogHistogram:
    """Durations from 50 µs to 120 s within 2 %; what lies outside counts in the first or last bucket.

    `total` is exact, so `mean` is too. Addition is commutative and associative: parts may be merged in any order.
    """

    __slots__ = ("buckets", "count", "total")

    def __init__(self) -> None:
        self.buckets: dict[int, int] = {}
        self.count = 0
        self.total = 0.0

    def __repr__(self) -> str:
        return f"<LogHistogram n={self.count} total={self.total:.6f}s>"

    def add(self, seconds: float) -> None:
        if LOWEST_S <= seconds <= HIGHEST_S:
            bucket = int(log(seconds) * _PER_LOG + _OFFSET)
        else:
            bucket = 0 if seconds < LOWEST_S else _TOP
        buckets = self.buckets
        buckets[bucket] = buckets.get(bucket, 0) + 1
        self.count += 1
        self.total += seconds

    def merge(self, other: LogHistogram) -> None:
        buckets = self.buckets
        if not buckets:  # the first of many: a copy costs a tenth of adding up
            self.buckets = other.buckets.copy()
        else:
            for bucket, count in other.buckets.items():
                buckets[bucket] = buckets.get(bucket, 0) + count
        self.count += other.count
        self.total += other.total

    @property
    def mean(self) -> float | None:
        return self.total / self.count if self.count else None

    def copy(self) -> LogHistogram:
        """Cheap: the buckets are copied as a whole."""
        other = LogHistogram()
        other.buckets, other.count, other.total = self.buckets.copy(), self.count, self.total
        return other

    def quantile(self, q: float) -> float | None:
        """The smallest value that at least `q` (0…1) of the durations do not exceed; None when empty."""
        left = max(1, ceil(q * self.count))
        for bucket in sorted(self.buckets):
            left -= self.buckets[bucket]
            if left <= 0:
                return MIDDLES[bucket]
        return None


class Window:
    """Evidence of one stretch of time. Mergeable, also across processes: it holds counts and no clock."""

    __slots__ = ("censored", "failures", "latency")

    def __init__(self) -> None:
        self.latency = LogHistogram()
        self.censored = LogHistogram()
        self.failures = 0

    def merge(self, other: Window) -> None:
        self.latency.merge(other.latency)
        self.censored.merge(other.censored)
        self.failures += other.failures

    def quantile(self, q: float) -> float | None:
        """Product-limit estimate, seconds; None without a single success. Never below that of the successes alone."""
        if not self.latency.count:
            return None
        return _product_limit(self.latency.buckets, self.censored.buckets, q)

    def quantiles(self, *qs: float) -> list[float | None]:
        """`quantile` of each of `qs`, which rise, for the price of one."""
        if not self.latency.count:
            return [None] * len(qs)
        return [*_product_limits(self.latency.buckets, self.censored.buckets, qs)]


def _product_limit(seen: Mapping[int, int], censored: Mapping[int, int], q: float) -> float:
    """Kaplan-Meier over buckets. The largest time counts as an answer (Efron), so a value always exists."""
    at_risk, surviving, target = sum(seen.values()) + sum(censored.values()), 1.0, 1 - q + 1e-12
    bucket = 0
    for bucket in sorted(seen.keys() | censored.keys()):
        answers = seen.get(bucket, 0)
        surviving *= 1 - answers / at_risk
        if answers and surviving <= target:
            break
        at_risk -= answers + censored.get(bucket, 0)
    return MIDDLES[bucket]


def _product_limits(seen: Mapping[int, int], censored: Mapping[int, int], qs: Sequence[float]) -> Iterator[float]:
    """As above for each of `qs`, which rise."""
    at_risk, surviving, targets = sum(seen.values()) + sum(censored.values()), 1.0, [1 - q + 1e-12 for q in qs]
    bucket = found = 0
    for bucket in sorted(seen.keys() | censored.keys()):
        answers = seen.get(bucket, 0)
        surviving *= 1 - answers / at_risk
        while answers and surviving <= targets[found]:
            yield MIDDLES[bucket]
            found += 1
            if found == len(targets):
                return
        at_risk -= answers + censored.get(bucket, 0)
    for _ in targets[found:]:
        yield MIDDLES[bucket]


class Evidence:
    """What one channel has shown for one method during the last `span` to 2 × `span` seconds.

    A success is `record`, an answer or transport failure that is the provider's fault is `record_failure`, an attempt
    left before its end is `record_censored` (neutral for reliability). What is nobody's fault is not recorded at all.
    """

    __slots__ = (
        "_cached",
        "_old",
        "_turn_at",
        "_young",
        "consecutive_failures",
        "last_success_at",
        "past_failures",
        "past_latency",
        "reliability",
        "span",
    )

    def __init__(self, span: float = 150.0) -> None:
        self.span = span
        self._young = Window()
        self._old = Window()
        self._turn_at = -inf
        self._cached: dict[float, tuple[int, float | None]] = {}
        self.consecutive_failures = 0
        # Starts trusted: three successes are asked for anyway, and a first call that met a cold connection would
        # otherwise need ten more to be believed.
        self.reliability = 1.0
        self.last_success_at = -inf
        self.past_latency = LogHistogram()
        self.past_failures = 0

    def __repr__(self) -> str:
        return f"<Evidence reliability={self.reliability:.2f} failing={self.consecutive_failures}>"

    # -- writing ------------------------------------------------------------------------------------------------------

    def record(self, seconds: float, now: float) -> None:
        """A success that took `seconds`."""
        if now >= self._turn_at:
            self._turn(now)
        self._young.latency.add(seconds)
        self.reliability += (1.0 - self.reliability) * 0.125
        self.consecutive_failures = 0
        self.last_success_at = now

    def record_failure(self, now: float) -> None:
        """The provider's fault, seen to its end."""
        if now >= self._turn_at:
            self._turn(now)
        self._young.failures += 1
        self.reliability *= 0.875
        self.consecutive_failures += 1

    def record_censored(self, seconds: float, now: float) -> None:
        """An attempt we stopped watching after `seconds`: its latency is at least that."""
        if now >= self._turn_at:
            self._turn(now)
        self._young.censored.add(seconds)

    def _turn(self, now: float) -> None:
        late = now - self._turn_at
        gone = [self._old] if late < self.span else [self._old, self._young]
        self._old = self._young if late < self.span else Window()
        self._young = Window()
        self._turn_at = self._turn_at + self.span if late < self.span else now + self.span
        self.past_latency = self.past_latency.copy()  # it may have been handed out
        for window in gone:
            self.past_latency.merge(window.latency)
            self.past_failures += window.failures
        self._cached.clear()

    # -- reading ------------------------------------------------------------------------------------------------------

    def _windows(self, now: float) -> tuple[Window, Window]:
        if now >= self._turn_at:
            self._turn(now)
        return self._young, self._old

    def window(self, now: float) -> Window:
        """All that is still believed, as a copy of its own."""
        merged = Window()
        for window in self._windows(now):
            merged.merge(window)
        return merged

    def count(self, now: float) -> int:
        """Successes in the windows."""
        young, old = self._windows(now)
        return young.latency.count + old.latency.count

    def failures(self, now: float) -> int:
        young, old = self._windows(now)
        return young.failures + old.failures

    def censored(self, now: float) -> int:
        young, old = self._windows(now)
        return young.censored.count + old.censored.count

    @property
    def successes_total(self) -> int:
        """Since the beginning: never decreases, for counters."""
        return self.past_latency.count + self._young.latency.count + self._old.latency.count

    def since_start(self) -> tuple[LogHistogram, ...]:
        """The latencies of all successes since the beginning, in parts that never change: who wants the whole adds them
        up. Cheap: only the young window is copied.
        """
        parts = (self.past_latency, self._old.latency, self._young.latency.copy())
        return tuple(part for part in parts if part.count)

    @property
    def failures_total(self) -> int:
        return self.past_failures + self._young.failures + self._old.failures

    def mean(self, now: float) -> float | None:
        """Mean latency of the successes, seconds."""
        young, old = self._windows(now)
        count = young.latency.count + old.latency.count
        return (young.latency.total + old.latency.total) / count if count else None

    def expected(self, now: float) -> float | None:
        """Time spent per answer, seconds: the mean, made worse by attempts that were left unanswered. For ranking."""
        young, old = self._windows(now)
        count = young.latency.count + old.latency.count
        if not count:
            return None
        return (young.latency.total + old.latency.total + young.censored.total + old.censored.total) / count

    def quantile(self, q: float, now: float) -> float | None:
        """Latency quantile, seconds, with censored attempts taken into account. May lag by 1/32 of the sample."""
        young, old = self._windows(now)
        size = young.latency.count + old.latency.count + young.censored.count + old.censored.count
        cached = self._cached.get(q)
        if cached is not None and size - cached[0] <= cached[0] >> 5:
            return cached[1]
        value = self.window(now).quantile(q)
        self._cached[q] = (size, value)
        return value

    def remaining(self, seconds: float, now: float) -> float:
        """How much longer an attempt that has run for `seconds` is likely to take, from those that ran that long too.

        Zero when none did. Attempts that were left before their end count with the time they had.
        """
        window, count, total = self.window(now), 0, 0.0
        for buckets in (window.latency.buckets, window.censored.buckets):
            for bucket, times in buckets.items():
                if MIDDLES[bucket] > seconds:
                    count += times
                    total += times * (MIDDLES[bucket] - seconds)
        return total / count if count else 0.0

    def qualified(self, now: float) -> bool:
        """Whether the latency may be ranked on: reliable, not failing just now, and 3 successes not yet forgotten."""
        return self.consecutive_failures < 3 and self.reliability >= 0.75 and self.count(now) >= 3
