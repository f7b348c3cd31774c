"""A page of `/metrics` as numbers: what families it has, and sums over their samples."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

import attrs
from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[Mapping[str, str], float]


@attrs.frozen
class MetricPage:
    """`samples` by the name they have on the page (`…_bucket`); `families` are the names that the page describes."""

    families: frozenset[str] = frozenset()
    samples: Mapping[str, tuple[Sample, ...]] = attrs.field(factory=dict, repr=False)

    @classmethod
    def of(cls, text: str) -> MetricPage:
        """Raises ValueError when it is no page of metrics."""
        families: set[str] = set()
        samples: dict[str, list[Sample]] = {}
        for family in text_string_to_metric_families(text):
            counter = "_total" if family.type == "counter" else ""
            families.add(family.name + counter)
            for sample in family.samples:
                samples.setdefault(sample.name, []).append((sample.labels, sample.value))
        return cls(frozenset(families), {name: tuple(rows) for name, rows in samples.items()})

    def total(self, name: str) -> float:
        """The sum over all labels; 0 when there are none."""
        return sum(value for _, value in self.samples.get(name, ()))

    def has(self, name: str) -> bool:
        return name in self.families

    def lacks(self, names: tuple[str, ...]) -> list[str]:
        return [name for name in names if not self.has(name)]

    def quantile(self, name: str, q: float) -> float | None:
        """Of a histogram over all its labels: the upper bound of the bucket that holds it, in the metric's unit.

        None without observations; infinite when it is beyond the last bucket.
        """
        buckets: dict[float, float] = {}
        for labels, value in self.samples.get(f"{name}_bucket", ()):
            bound = float(labels.get("le", "inf"))
            buckets[bound] = buckets.get(bound, 0.0) + value
        whole = buckets.get(inf, 0.0)
        if not whole:
            return None
        return min(bound for bound, count in buckets.items() if count >= q * whole)
