"""Which calls are traced, decided when they come in (head sampling): pure, the same answer for the same trace id.

The ratio looks at the lower 64 bits of the trace id, as OpenTelemetry's own sampler does, so that all services that are
given the same ratio keep the same traces.
"""

from __future__ import annotations

from typing import Final

import attrs

from lasso_trio.config.tracing_terms import TracingTerms
from lasso_trio.tracing.context import Parent

_LOWER: Final = 2**64 - 1


@attrs.frozen
class Sampler:
    """`ratio`: the share of traces that begin here. `asks_parent`: who comes with a trace has decided already."""

    ratio: float
    asks_parent: bool

    @classmethod
    def of(cls, terms: TracingTerms) -> Sampler:
        return cls(terms.ratio, terms.sampler.startswith("parentbased_"))

    def keeps(self, trace_id: int, parent: Parent | None) -> bool:
        if parent is not None and self.asks_parent:
            return parent.sampled
        return (trace_id & _LOWER) < round(self.ratio * 2**64)
