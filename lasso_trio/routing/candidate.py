"""Who may serve a call: one candidate per provider and transport of a profile's chain.

A candidate joins a profile's name for an upstream (`Provider`) with the shared state of that upstream (`Channel`), and
keeps the counts that belong to the profile alone.
"""

from __future__ import annotations

import attrs

from lasso_trio.config.profile import Provider, Transport
from lasso_trio.providers.channel import Channel
from lasso_trio.providers.head import Head
from lasso_trio.telemetry.rates import MinuteRates


@attrs.define(eq=False)
class Tally:
    """What one candidate did for its profile since start. `failures` are those the provider is to blame for."""

    attempts: int = 0
    answered: int = 0
    failures: int = 0
    throttled: int = 0
    seconds: float = 0.0
    rates: MinuteRates = attrs.field(factory=MinuteRates)


@attrs.define(eq=False, repr=False)
class Candidate:
    provider: Provider
    channel: Channel
    label: str = ""
    tally: Tally = attrs.field(factory=Tally)
    head: Head = attrs.field(factory=Head)
    """The instance's, shared by all its candidates."""

    def __attrs_post_init__(self) -> None:
        self.label = f"{self.provider.id}:{self.channel.transport.value}"

    @property
    def transport(self) -> Transport:
        return self.channel.transport

    def __repr__(self) -> str:
        return f"<Candidate {self.label}>"
