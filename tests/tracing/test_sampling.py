"""Who decides whether a call is traced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

from lasso_trio.config.secret import Secret
from lasso_trio.config.tracing_terms import TracingTerms
from lasso_trio.tracing.context import Parent
from lasso_trio.tracing.sampling import Sampler


@pytest.mark.parametrize("sampled", [True, False])
def test_who_comes_with_a_trace_has_decided(sampled: bool) -> None:
    parent = Parent(7, 7, sampled)
    assert Sampler(0.0, True).keeps(7, parent) == sampled
    assert Sampler(1.0, True).keeps(7, parent) == sampled


@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_a_parent_is_not_asked_unless_the_sampler_is_based_on_it(ratio: float) -> None:
    terms = TracingTerms(Secret("http://c"), sampler="traceidratio", ratio=ratio)
    assert Sampler.of(terms).keeps(7, Parent(7, 7, ratio == 0.0)) == bool(ratio)


@given(st.integers(1, 2**128 - 1), st.sampled_from([0.0, 0.001, 0.1, 0.5, 0.9, 1.0]))
def test_the_ratio_keeps_what_opentelemetry_keeps(trace_id: int, ratio: float) -> None:
    theirs = TraceIdRatioBased(ratio).should_sample(None, trace_id, "call").decision
    assert Sampler(ratio, True).keeps(trace_id, None) == (theirs is Decision.RECORD_AND_SAMPLE)
