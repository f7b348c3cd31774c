"""One channel as the APIs show it: what state it is in and why, how it got there, and what limits it keeps to.

Pure reading. Ages and times left are milliseconds.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, Final

from lasso_trio.providers.allowance import Budget
from lasso_trio.providers.breaker import Breaker, Transition
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.pacing import Pacing
from lasso_trio.providers.unknown_errors import UnknownError
from lasso_trio.telemetry.scrub import scrub

Row = dict[str, Any]
MOST_UNKNOWN: Final = 20


def channel_row(channel: Channel, now: float) -> Row:
    return {
        "transport": channel.transport.value,
        "live": channel.live,
        "endpoint": channel.origin,
        "in_flight": channel.in_flight,
        "circuit_breaker": _breaker(channel.breaker, now),
        "cooldown_ms": _ms(channel.cooldown.remaining(now)),
        "cooldowns_total": channel.cooldown.times,
        "pacing": _pacing(channel.pacing, now),
        "budget": None if channel.budget is None else _budget(channel.budget, now),
        "banned_methods": {method: _ms(left) for method, left in sorted(channel.bans.current(now).items())},
        "unknown_errors": [_unknown(error, now) for error in channel.unknown.listing()[:MOST_UNKNOWN]],
    }


def _unknown(error: UnknownError, now: float) -> Row:
    """An error text that the catalogue has no row for, as a shape without numbers and keys."""
    return {
        "http_status": error.status,
        "code": error.code,
        "text": scrub(error.text),
        "times": error.times,
        "last_age_ms": _ms(now - error.last_at),
    }


def _breaker(breaker: Breaker, now: float) -> Row:
    state = breaker.state(now)
    calls, failed = breaker.window.totals(now)
    return {
        "state": state.value,
        "reason": breaker.reason or None,
        "quarantined": breaker.quarantined,
        "consecutive_failures": breaker.failures,
        "recent_calls": calls,
        "recent_failures": failed,
        "retry_after_ms": _ms(breaker.retry_after(now)),
        "opened_total": breaker.opened_total,
        "transitions": [_transition(step, now) for step in reversed(breaker.transitions)],
    }


def _transition(step: Transition, now: float) -> Row:
    """`for_ms`: how long it was to stay open; null when not opened, or without an end."""
    return {
        "age_ms": _ms(now - step.at),
        "from": step.before.value,
        "to": step.after.value,
        "reason": step.reason,
        "detail": step.detail or None,
        "quarantined": step.quarantined,
        "consecutive_failures": step.failures,
        "for_ms": _ms(step.retry_after_s) if step.retry_after_s and isfinite(step.retry_after_s) else None,
    }


def _pacing(pacing: Pacing, now: float) -> Row | None:
    """None while the instance never refused, or not for long."""
    if pacing.rate is None:
        return None
    return {
        "calls_per_second": round(pacing.rate, 2),
        "told_per_second": None if pacing.known is None else round(pacing.known, 2),
        "over": pacing.over(now),
        "cuts_total": pacing.times,
    }


def _budget(budget: Budget, now: float) -> Row:
    second, day = budget.spent(now)
    return {
        "rps": budget.terms.rps,
        "spent_last_second": second,
        "daily": budget.terms.daily,
        "spent_last_day": day,
        "exhausted_ms": _ms(max(0.0, budget.until - now)),
    }


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
