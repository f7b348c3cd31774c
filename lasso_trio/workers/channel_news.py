"""What one worker tells the others of a channel, taken from it and put into it. Pure.

Values and no events: what is told is where a part of the channel stands now, so hearing it twice does no harm, and what
changed several times before it could be told is told once. Each part knows whose word holds. Times are trio's, moved
by `shifted` on both ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

import attrs
import msgspec

from lasso_trio.config.profile import Transport
from lasso_trio.providers.breaker import BreakerNews
from lasso_trio.providers.channel import Aspect, Channel
from lasso_trio.providers.cooldown import CooldownNews
from lasso_trio.providers.learned import Kind, Limit
from lasso_trio.providers.pacing import PaceNews

Part = tuple[Aspect, str]
"""What changed; the method of a ban, the kind of a limit."""


class Cordon(msgspec.Struct, array_like=True, frozen=True):
    out: bool
    at: float


class ChannelNews(msgspec.Struct, array_like=True, frozen=True):
    """None and empty: nothing new. `bans` by method: until when, None where it was lifted. `limits` by kind."""

    instance: str
    transport: Transport
    breaker: BreakerNews | None = None
    cooldown: CooldownNews | None = None
    pace: PaceNews | None = None
    cordon: Cordon | None = None
    bans: dict[str, float | None] = {}
    limits: dict[Kind, Limit] = {}

    @property
    def says_something(self) -> bool:
        return any((self.breaker, self.cooldown, self.pace, self.cordon, self.bans, self.limits))


def gather(channel: Channel, parts: Iterable[Part], now: float) -> ChannelNews:
    """Where these parts stand now."""
    told = set(parts)
    aspects, limits = {aspect for aspect, _ in told}, channel.learned.news()
    return ChannelNews(
        channel.instance_id,
        channel.transport,
        channel.breaker.news(now) if Aspect.BREAKER in aspects else None,
        channel.cooldown.news() if Aspect.COOLDOWN in aspects else None,
        channel.pacing.news() if Aspect.PACE in aspects else None,
        Cordon(channel.cordoned, channel.ordered_at) if Aspect.CORDON in aspects else None,
        {method: channel.bans.until.get(method) for aspect, method in told if aspect is Aspect.BAN},
        {kind: limit for kind, limit in limits.items() if (Aspect.LIMIT, kind.value) in told},
    )


def whole(channel: Channel, now: float) -> ChannelNews:
    """All of it that is not as it was in the beginning."""
    parts: list[Part] = [(Aspect.PACE, "")]
    if channel.breaker.moved_at > -inf:
        parts.append((Aspect.BREAKER, ""))
    if channel.cooldown.active(now):
        parts.append((Aspect.COOLDOWN, ""))
    if channel.ordered_at > -inf:
        parts.append((Aspect.CORDON, ""))
    parts += [(Aspect.BAN, method) for method in channel.bans.current(now)]
    parts += [(Aspect.LIMIT, kind.value) for kind in channel.learned.news()]
    return gather(channel, parts, now)


def apply(channel: Channel, news: ChannelNews, now: float) -> None:
    """Put it into the channel, which tells nobody of it again."""
    hook, channel.on_news = channel.on_news, None
    try:
        if news.breaker is not None:
            channel.breaker.adopt(news.breaker, now)
        if news.cordon is not None:
            channel.cordon(out=news.cordon.out, now=news.cordon.at)
        changed = _adopt_limits(channel, news)
    finally:
        channel.on_news = hook
    if changed:
        channel.version.bump()


def _adopt_limits(channel: Channel, news: ChannelNews) -> bool:
    changed = [channel.bans.adopt(method, until) for method, until in news.bans.items()]
    if news.cooldown is not None:
        changed.append(channel.cooldown.adopt(news.cooldown))
    if news.pace is not None:
        changed.append(channel.pacing.adopt(news.pace))
    for kind, limit in news.limits.items():
        channel.learned.adopt(kind, limit)  # asked at each call: no plan depends on it
    return any(changed)


def shifted(news: ChannelNews, by: float) -> ChannelNews:
    """With all its times `by` seconds later."""
    breaker, cooldown, pace, cordon = news.breaker, news.cooldown, news.pace, news.cordon
    return ChannelNews(
        news.instance,
        news.transport,
        breaker and attrs.evolve(breaker, at=breaker.at + by, until=breaker.until + by),
        cooldown and attrs.evolve(cooldown, until=cooldown.until + by),
        pace and attrs.evolve(pace, cut_at=pace.cut_at + by, known_until=pace.known_until + by),
        cordon and Cordon(cordon.out, cordon.at + by),
        {method: until if until is None else until + by for method, until in news.bans.items()},
        {kind: attrs.evolve(limit, at=limit.at + by) for kind, limit in news.limits.items()},
    )
